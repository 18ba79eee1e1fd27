//! Where the services are: options, then the environment, then the context file, then defaults.
//!
//! clap has already taken the environment for options that were not given.

use std::path::PathBuf;
use std::time::Duration;

use hubshift_shell::grpc::Endpoint;
use hubshift_shell::tls::ClientTls;

use super::context::Context;
use crate::args::RemoteArgs;
use crate::exit::CliError;

const CONCIERGE: &str = "http://127.0.0.1:7601";
const REGISTRY: &str = "http://127.0.0.1:7611";
const MERGE: &str = "http://127.0.0.1:7621";
const RETRY_FOR: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The settings of a command.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) concierge: Endpoint,
    pub(super) registry: Endpoint,
    pub(super) merge: Endpoint,
    pub(super) fleet: Option<String>,
    pub(super) retry_for: Duration,
}

impl Settings {
    /// Brings the sources together.
    ///
    /// # Errors
    /// An unusable context file; https without an authority to trust; half a client identity.
    pub(super) fn resolve(args: &RemoteArgs) -> Result<Self, CliError> {
        Self::merge(args, Context::read(args.context.as_deref())?)
    }

    fn merge(args: &RemoteArgs, context: Context) -> Result<Self, CliError> {
        let tls = tls(args, &context);
        let timeout = args.timeout.unwrap_or(TIMEOUT);
        let endpoint = |option: &Option<String>, file: Option<String>, default: &str| {
            let url = option
                .clone()
                .or(file)
                .unwrap_or_else(|| default.to_owned());
            endpoint(url, tls.as_ref(), timeout)
        };
        Ok(Self {
            concierge: endpoint(&args.concierge, context.concierge, CONCIERGE)?,
            registry: endpoint(&args.registry, context.registry, REGISTRY)?,
            merge: endpoint(&args.merge, context.merge, MERGE)?,
            fleet: args.fleet.clone().or(context.fleet),
            retry_for: args.retry_for.unwrap_or(RETRY_FOR),
        })
    }
}

/// The TLS settings; an identity is taken whole, from the options or from the file.
fn tls(args: &RemoteArgs, context: &Context) -> Option<ClientTls> {
    let ca = args.ca.as_ref().or(context.ca.as_ref())?.clone();
    let given = (args.cert.clone(), args.key.clone());
    let (cert, key): (Option<PathBuf>, Option<PathBuf>) = match given {
        (None, None) => (context.cert.clone(), context.key.clone()),
        given => given,
    };
    Some(ClientTls {
        ca,
        cert,
        key,
        server_name: None,
    })
}

/// TLS is for https alone: one context may name services of both kinds.
fn endpoint(url: String, tls: Option<&ClientTls>, timeout: Duration) -> Result<Endpoint, CliError> {
    let tls = if url.starts_with("https://") {
        let missing = || {
            let text = format!("{url} needs --ca: the authority that signed its certificate");
            CliError::usage(text)
        };
        Some(tls.ok_or_else(missing)?.clone())
    } else {
        None
    };
    Ok(Endpoint { url, tls, timeout })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> Context {
        Context {
            concierge: Some("http://context:1".into()),
            fleet: Some("acme".into()),
            ca: Some("context-ca.pem".into()),
            cert: Some("context-cert.pem".into()),
            key: Some("context-key.pem".into()),
            ..Context::default()
        }
    }

    #[test]
    fn an_option_beats_the_file_and_the_file_beats_the_default() {
        let args = RemoteArgs {
            fleet: Some("other".into()),
            ..RemoteArgs::default()
        };
        let settings = Settings::merge(&args, context()).unwrap();
        assert_eq!(settings.concierge.url, "http://context:1");
        assert_eq!(settings.registry.url, REGISTRY);
        assert_eq!(settings.fleet.as_deref(), Some("other"));
        assert_eq!(settings.concierge.tls, None);
    }

    #[test]
    fn an_identity_is_never_made_of_two_halves() {
        let args = RemoteArgs {
            concierge: Some("https://c:1".into()),
            cert: Some("mine.pem".into()),
            ..RemoteArgs::default()
        };
        let tls = Settings::merge(&args, context())
            .unwrap()
            .concierge
            .tls
            .unwrap();
        assert_eq!(tls.cert, Some("mine.pem".into()));
        assert_eq!(tls.key, None);
    }

    #[test]
    fn https_without_an_authority_is_refused() {
        let args = RemoteArgs {
            merge: Some("https://m:1".into()),
            ..RemoteArgs::default()
        };
        let error = Settings::merge(&args, Context::default()).unwrap_err();
        assert_eq!(error.code(), 64);
        assert!(error.to_string().contains("https://m:1"), "{error}");
    }
}
