//! Bearer tokens and the stand-in for the management plane.

use std::net::SocketAddr;
use std::path::PathBuf;

use hubshift_azure::Secret;

use super::secret;

/// How long a token lives, in seconds, as Entra's mostly do.
const TOKEN_LIFETIME: u32 = 3599;

/// Bearer tokens and the stand-in for the management plane.
#[derive(Clone, Debug, clap::Args)]
pub struct EntraOptions {
    /// Address of the stand-in for Entra and Azure's resource manager, loopback, HTTPS
    #[arg(long, env = "HUB_EMULATOR_MANAGEMENT", value_name = "ADDR:PORT")]
    pub management: Option<SocketAddr>,

    /// The only hub that the resource manager knows [default: any is this one]
    #[arg(
        long,
        env = "HUB_EMULATOR_RESOURCE_ID",
        value_name = "/subscriptions/S/resourceGroups/G/providers/Microsoft.Devices/IotHubs/NAME"
    )]
    pub resource_id: Option<String>,

    /// Application that gets tokens: data-contributor, data-reader, registry-contributor,
    /// twin-contributor, or contributor of the hub as a resource
    #[arg(
        long = "entra-client",
        env = "HUB_EMULATOR_ENTRA_CLIENT",
        hide_env_values = true,
        value_name = "CLIENT_ID:SECRET:ROLE",
        value_delimiter = ',',
        value_parser = secret
    )]
    pub clients: Vec<Secret>,

    /// File with one ROLE:TOKEN a line: tokens that are good without having been issued
    #[arg(long, env = "HUB_EMULATOR_BEARER_FILE", value_name = "FILE")]
    pub bearer_file: Option<PathBuf>,

    /// How long a token that was issued is good
    #[arg(
        long,
        env = "HUB_EMULATOR_TOKEN_LIFETIME",
        value_name = "SECONDS",
        default_value_t = TOKEN_LIFETIME
    )]
    pub token_lifetime: u32,
}

impl Default for EntraOptions {
    fn default() -> Self {
        Self {
            management: None,
            resource_id: None,
            clients: Vec::new(),
            bearer_file: None,
            token_lifetime: TOKEN_LIFETIME,
        }
    }
}
