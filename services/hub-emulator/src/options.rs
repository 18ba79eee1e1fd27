//! What the command line says, for the `hub-emulator` command and for those that embed it.
//!
//! Policies come in as opaque text, checked at start: a parser that quotes a wrong value would
//! print a key.

pub(crate) mod duration;
mod entra;
mod job;
mod query;
mod registry;
mod throttle;

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use hubshift_azure::Secret;

use crate::outage::OutageMode;
pub use entra::EntraOptions;
pub use job::JobOptions;
pub use query::QueryOptions;
pub use registry::RegistryOptions;
pub use throttle::ThrottleOptions;

/// How to run an emulated hub.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Address to listen on; port 0 takes a free one
    #[arg(
        long,
        env = "HUB_EMULATOR_LISTEN",
        value_name = "ADDR:PORT",
        default_value = "127.0.0.1:8443"
    )]
    pub listen: SocketAddr,

    /// Host name in connection strings and in the certificate [default: the listening address]
    #[arg(long, env = "HUB_EMULATOR_HOSTNAME", value_name = "HOST")]
    pub hostname: Option<String>,

    /// Shared access policy: iothubowner, service, device, registryRead or registryReadWrite, and its key
    #[arg(
        long = "policy",
        env = "HUB_EMULATOR_POLICY",
        hide_env_values = true,
        value_name = "NAME:BASE64KEY",
        value_delimiter = ',',
        value_parser = secret
    )]
    pub policies: Vec<Secret>,

    /// File with one NAME:BASE64KEY a line
    #[arg(long, env = "HUB_EMULATOR_POLICY_FILE", value_name = "FILE")]
    pub policy_file: Option<PathBuf>,

    /// Certificate chain to serve with
    #[arg(
        long,
        value_name = "PEM",
        requires = "tls_key",
        conflicts_with = "tls_dir"
    )]
    pub tls_cert: Option<PathBuf>,

    /// Its private key
    #[arg(long, value_name = "PEM", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,

    /// Directory with ca.pem, cert.pem and key.pem; they are made if there are none
    #[arg(long, env = "HUB_EMULATOR_TLS_DIR", value_name = "DIR")]
    pub tls_dir: Option<PathBuf>,

    /// File that keeps the registry; without it, the registry is gone when the process ends
    #[arg(
        long,
        env = "HUB_EMULATOR_DATA",
        value_name = "FILE",
        help_heading = "Registry"
    )]
    pub data: Option<PathBuf>,

    /// Export file to fill an empty registry with
    #[arg(
        long,
        env = "HUB_EMULATOR_SEED",
        value_name = "FILE",
        help_heading = "Registry"
    )]
    pub seed: Option<PathBuf>,

    /// File of configurations, as export jobs write it, to fill a hub with that has none
    #[arg(
        long,
        env = "HUB_EMULATOR_SEED_CONFIGURATIONS",
        value_name = "FILE",
        help_heading = "Registry"
    )]
    pub seed_configurations: Option<PathBuf>,

    /// Write devices and modules of --data as an export file, keys included, and end
    #[arg(
        long,
        value_name = "FILE",
        requires = "data",
        help_heading = "Registry"
    )]
    pub dump: Option<PathBuf>,

    /// Write the configurations of --data, one a line, and end
    #[arg(
        long,
        value_name = "FILE",
        requires = "data",
        help_heading = "Registry"
    )]
    pub dump_configurations: Option<PathBuf>,

    /// Loopback address of the plain-HTTP control interface: faults, counters, raw devices
    #[arg(
        long,
        env = "HUB_EMULATOR_ADMIN",
        value_name = "ADDR:PORT",
        help_heading = "Faults"
    )]
    pub admin: Option<SocketAddr>,

    /// Fault to start with
    #[arg(
        long,
        env = "HUB_EMULATOR_OUTAGE",
        value_name = "MODE",
        default_value = "none",
        help_heading = "Faults"
    )]
    pub outage: OutageMode,

    /// The registry.
    #[command(flatten, next_help_heading = "Registry")]
    pub registry: RegistryOptions,

    /// Quotas.
    #[command(flatten, next_help_heading = "Quotas")]
    pub throttle: ThrottleOptions,

    /// Queries.
    #[command(flatten, next_help_heading = "Queries")]
    pub query: QueryOptions,

    /// Jobs.
    #[command(flatten, next_help_heading = "Jobs")]
    pub job: JobOptions,

    /// Bearer tokens and management.
    #[command(flatten, next_help_heading = "Entra ID and Azure's resource manager")]
    pub entra: EntraOptions,
}

impl Options {
    /// A hub in memory on a free loopback port, with one policy and a certificate of its own.
    pub fn local(policy: &str, key: &Secret) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            hostname: None,
            policies: vec![Secret::new(format!("{policy}:{}", key.expose()))],
            policy_file: None,
            tls_cert: None,
            tls_key: None,
            tls_dir: None,
            data: None,
            seed: None,
            seed_configurations: None,
            dump: None,
            dump_configurations: None,
            admin: None,
            outage: OutageMode::None,
            registry: RegistryOptions::default(),
            throttle: ThrottleOptions::default(),
            query: QueryOptions::default(),
            job: JobOptions::default(),
            entra: EntraOptions::default(),
        }
    }

    /// The host's name, an IPv6 address in brackets.
    pub(crate) fn host(&self) -> String {
        self.hostname
            .clone()
            .unwrap_or_else(|| match self.listen.ip() {
                std::net::IpAddr::V4(ip) => ip.to_string(),
                std::net::IpAddr::V6(ip) => format!("[{ip}]"),
            })
    }
}

fn secret(text: &str) -> Result<Secret, Infallible> {
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn policies_repeat_and_debug_hides_their_keys() {
        let line = [
            "x",
            "--policy",
            "iothubowner:Y2FuYXJ5",
            "--policy",
            "service:Y2FuYXJ5",
        ];
        let cli = Cli::try_parse_from(line).unwrap();
        assert_eq!(cli.options.policies.len(), 2);
        assert!(!format!("{:?}", cli.options).contains("Y2FuYXJ5"));
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert!(Cli::try_parse_from(["x", "--tls-cert", "cert.pem"]).is_err());
        assert!(Cli::try_parse_from(["x", "--tls-key", "key.pem"]).is_err());
    }

    #[test]
    fn a_dump_needs_data_and_secrets_of_clients_are_hidden() {
        assert!(Cli::try_parse_from(["x", "--dump", "out.txt"]).is_err());
        assert!(Cli::try_parse_from(["x", "--dump", "out.txt", "--data", "d"]).is_ok());
        assert!(Cli::try_parse_from(["x", "--dump-configurations", "out.txt"]).is_err());
        let line = ["x", "--entra-client", "app:canary:data-reader"];
        let cli = Cli::try_parse_from(line).unwrap();
        assert_eq!(cli.options.entra.clients.len(), 1);
        assert!(!format!("{:?}", cli.options).contains("canary"));
    }

    #[test]
    fn the_help_has_a_heading_for_each_group() {
        let help = <Cli as clap::CommandFactory>::command()
            .render_long_help()
            .to_string();
        for heading in ["Registry:", "Faults:", "Quotas:", "Entra ID and"] {
            assert!(help.contains(heading), "{help}");
        }
        let command = <Cli as clap::CommandFactory>::command();
        let heading = |id: &str| {
            let mut found = command.get_arguments();
            found
                .find(|argument| argument.get_id() == id)?
                .get_help_heading()
        };
        for id in ["data", "strict_module_access", "import_reported"] {
            assert_eq!(heading(id), Some("Registry"), "{id}");
        }
        assert_eq!(heading("tls_dir"), None);
        assert_eq!(heading("units"), Some("Quotas"));
    }

    #[test]
    fn the_host_is_the_listening_address_if_nothing_is_said() {
        let cli = Cli::try_parse_from(["x", "--listen", "[::1]:1"]).unwrap();
        assert_eq!(cli.options.host(), "[::1]");
    }
}
