//! The way to an event hub: TCP, TLS with the roots that the configuration names, the login, and
//! one session.

use std::path::Path;
use std::sync::Arc;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection, Session};
use hubshift_azure::{EventHubEndpoint, EventHubEndpointError};
use hubshift_shell::tls::ClientTls;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::FeedError;

/// A connection on which nothing comes for so long is dead. The peer is told half of it, and keeps
/// a quiet connection alive.
const IDLE_MS: u32 = 120_000;

/// An open connection with its session. Both end when this is dropped.
pub(super) struct Line {
    pub(super) session: SessionHandle<()>,
    _connection: ConnectionHandle<()>,
}

/// Trusts the authorities of a file, or the public ones without it.
pub(super) fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>, FeedError> {
    if let Some(ca) = ca {
        let trusted = ClientTls {
            ca: ca.to_owned(),
            cert: None,
            key: None,
            server_name: None,
        };
        let failed = |error| FeedError::Ca(Box::new(error));
        return trusted.rustls().map_err(failed);
    }
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(FeedError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// Connects and logs in with the policy's name and key, which Event Hubs takes as they are.
pub(super) async fn open(
    endpoint: &EventHubEndpoint,
    tls: Arc<ClientConfig>,
    name: &str,
) -> Result<Line, FeedError> {
    let host = endpoint.host.as_str();
    let expected = ServerName::try_from(host.to_owned())
        .map_err(|_| FeedError::Endpoint(EventHubEndpointError::Endpoint))?;
    let tcp = TcpStream::connect((host, endpoint.port))
        .await
        .map_err(FeedError::Unreachable)?;
    let stream = TlsConnector::from(tls)
        .connect(expected, tcp)
        .await
        .map_err(FeedError::Unreachable)?;
    let login = SaslProfile::Plain {
        username: endpoint.policy.clone(),
        password: endpoint.key.expose().to_owned(),
    };
    let builder = Connection::builder()
        .container_id(name)
        .hostname(host)
        .sasl_hostname(host)
        .idle_time_out(IDLE_MS)
        .sasl_profile(login);
    // Boxed here and elsewhere: the library's futures are large.
    let mut connection = Box::pin(builder.open_with_stream(Box::new(stream))).await?;
    let session = Box::pin(Session::begin(&mut connection)).await?;
    Ok(Line {
        session,
        _connection: connection,
    })
}

#[cfg(test)]
mod tests {
    use hubshift_shell::tls::DevAuthority;

    use super::*;

    #[test]
    fn public_authorities_are_trusted_or_those_of_a_file_that_holds_some() {
        assert!(tls(None).is_ok());
        let dir = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(dir.path()).unwrap();
        assert!(tls(Some(&authority.ca_path())).is_ok());
        let missing = tls(Some(&dir.path().join("none.pem"))).unwrap_err();
        assert!(matches!(missing, FeedError::Ca(_)), "{missing:?}");
    }
}
