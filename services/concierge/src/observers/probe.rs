//! One look at a hub: its name, a TCP connection, a TLS handshake with a certificate that is trusted.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Authority;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;

/// Where devices connect by MQTT over TLS.
const MQTT: u16 = 8883;
/// A hub that takes longer does not answer.
const LIMIT: Duration = Duration::from_secs(5);

/// Why a hub did not answer. The same trouble has the same text every time.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    /// What it is called can't be connected to.
    #[error("its host is no host name")]
    Host,
    /// It took too long.
    #[error("{0} timed out")]
    TimedOut(Stage),
    /// It was refused, or broke off.
    #[error("{0} failed: {1}")]
    Failed(Stage, io::Error),
}

/// How far a look got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Looking up the name.
    Name,
    /// The TCP connection.
    Connect,
    /// The TLS handshake.
    Handshake,
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Name => "name lookup",
            Self::Connect => "connect",
            Self::Handshake => "TLS handshake",
        })
    }
}

/// Looks at hubs.
pub(super) struct Prober {
    connector: TlsConnector,
    limit: Duration,
}

impl Prober {
    /// Believes whom `trusted` does; no look takes longer than the time between two.
    pub(super) fn new(trusted: ClientConfig, every: Duration) -> Self {
        Self {
            connector: TlsConnector::from(Arc::new(trusted)),
            limit: LIMIT.min(every),
        }
    }

    /// Connects to a host, and hangs up.
    pub(super) async fn look(&self, host: &str) -> Result<(), ProbeError> {
        let (name, port) = target(host).ok_or(ProbeError::Host)?;
        let expected = ServerName::try_from(name.clone()).map_err(|_| ProbeError::Host)?;
        let deadline = Instant::now() + self.limit;
        let looked_up = lookup_host((name.as_str(), port));
        let found = in_time(Stage::Name, deadline, looked_up).await?;
        let addresses: Vec<SocketAddr> = found.collect();
        let tcp = connect(&addresses, deadline).await?;
        let handshake = self.connector.connect(expected, tcp);
        let mut tls = in_time(Stage::Handshake, deadline, handshake).await?;
        // It answered; whether it hears the farewell does not matter.
        let _farewell = timeout_at(deadline, tls.shutdown()).await;
        Ok(())
    }
}

/// Connects to the first address that takes it. One that is silent leaves the others their share of
/// the time: a way that is broken for one family of addresses makes no hub dead.
async fn connect(addresses: &[SocketAddr], deadline: Instant) -> Result<TcpStream, ProbeError> {
    let mut last = ProbeError::Failed(Stage::Name, io::ErrorKind::NotFound.into());
    for (tried, address) in addresses.iter().enumerate() {
        let left = deadline.saturating_duration_since(Instant::now());
        let others = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        let until = Instant::now() + left / others;
        match in_time(Stage::Connect, until, TcpStream::connect(*address)).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}

async fn in_time<T>(
    stage: Stage,
    deadline: Instant,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T, ProbeError> {
    match timeout_at(deadline, work).await {
        Ok(done) => done.map_err(|error| ProbeError::Failed(stage, error)),
        Err(_) => Err(ProbeError::TimedOut(stage)),
    }
}

/// Name and port of `host`, `host:port`, `[address]:port`.
fn target(host: &str) -> Option<(String, u16)> {
    let authority: Authority = host.parse().ok()?;
    let name = authority.host();
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let name = bare.unwrap_or(name);
    (!name.is_empty()).then(|| (name.to_owned(), authority.port_u16().unwrap_or(MQTT)))
}

#[cfg(test)]
mod tests {
    use hubshift_shell::tls::{DevAuthority, ServerTls};
    use tokio_util::sync::CancellationToken;

    use super::super::trust;
    use super::*;

    #[test]
    fn devices_connect_by_mqtt_unless_a_port_is_named() {
        let cases = [
            ("acme.azure-devices.net", "acme.azure-devices.net", MQTT),
            ("127.0.0.1:8443", "127.0.0.1", 8443),
            ("[::1]:8443", "::1", 8443),
            ("[::1]", "::1", MQTT),
        ];
        for (host, name, port) in cases {
            assert_eq!(target(host), Some((name.to_owned(), port)), "{host}");
        }
        assert_eq!(target("a b"), None);
        assert_eq!(target(""), None);
    }

    /// A server with a certificate of its own authority, whose file is returned.
    fn server(dir: &std::path::Path, stop: CancellationToken) -> (String, std::path::PathBuf) {
        let authority = DevAuthority::create(dir).unwrap();
        let (cert, key) = authority.issue("hub", &["127.0.0.1".to_owned()]).unwrap();
        let tls = ServerTls {
            cert,
            key,
            client_ca: None,
        };
        let listener = hubshift_shell::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let tls = Some(tls.load().unwrap());
        tokio::spawn(hubshift_shell::serve(
            listener,
            axum::Router::new(),
            tls,
            stop,
        ));
        (host, authority.ca_path())
    }

    fn prober(ca: Option<&std::path::Path>, limit: Duration) -> Prober {
        Prober::new(trust::client(ca).unwrap(), limit)
    }

    #[tokio::test]
    async fn a_hub_answers_only_with_a_certificate_that_is_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let stop = CancellationToken::new();
        let (host, ca) = server(dir.path(), stop.clone());
        prober(Some(&ca), LIMIT).look(&host).await.unwrap();
        let error = prober(None, LIMIT).look(&host).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("TLS handshake failed: "), "{text}");
        assert!(text.contains("certificate"), "{text}");
        let port = host.rsplit_once(':').unwrap().1;
        let other_name = prober(Some(&ca), LIMIT)
            .look(&format!("localhost:{port}"))
            .await;
        assert!(matches!(
            other_name,
            Err(ProbeError::Failed(Stage::Handshake | Stage::Connect, _))
        ));
        stop.cancel();
    }

    #[tokio::test]
    async fn a_hub_that_refuses_or_says_nothing_does_not_answer() {
        let refused = prober(None, LIMIT).look("127.0.0.1:1").await.unwrap_err();
        let text = refused.to_string();
        assert!(text.starts_with("connect failed: "), "{text}");

        // The system takes the connection, and nobody speaks.
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = silent.local_addr().unwrap().to_string();
        let error = prober(None, Duration::from_millis(200)).look(&host).await;
        assert_eq!(error.unwrap_err().to_string(), "TLS handshake timed out");

        // Another protocol answers.
        let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = other.local_addr().unwrap().to_string();
        let babbling = tokio::spawn(async move {
            let (mut client, _) = other.accept().await.unwrap();
            client.write_all(b"HTTP/1.1 400 no\r\n\r\n").await.unwrap();
        });
        let error = prober(None, LIMIT).look(&host).await.unwrap_err();
        assert!(
            matches!(error, ProbeError::Failed(Stage::Handshake, _)),
            "{error}"
        );
        babbling.await.unwrap();
    }

    /// Nobody has the first address: it is silent, or there is no way to it.
    #[tokio::test]
    async fn an_address_that_is_silent_leaves_the_others_their_time() {
        let hub = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = hub.local_addr().unwrap();
        let deadline = Instant::now() + Duration::from_secs(2);
        let found = connect(&["192.0.2.1:9".parse().unwrap(), here], deadline).await;
        assert_eq!(found.unwrap().peer_addr().unwrap(), here);
        let none = connect(&[], deadline).await.unwrap_err();
        assert!(matches!(none, ProbeError::Failed(Stage::Name, _)), "{none}");
    }

    #[tokio::test]
    async fn a_name_that_nobody_has_is_no_hub() {
        let error = prober(None, LIMIT)
            .look("nobody.invalid")
            .await
            .unwrap_err();
        assert!(
            matches!(
                error,
                ProbeError::Failed(Stage::Name, _) | ProbeError::TimedOut(Stage::Name)
            ),
            "{error}"
        );
        let error = prober(None, LIMIT).look("a b").await.unwrap_err();
        assert!(matches!(error, ProbeError::Host));
    }

    #[test]
    fn a_file_without_authorities_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("ca.pem");
        std::fs::write(&empty, "").unwrap();
        assert!(matches!(
            trust::client(Some(&empty)),
            Err(trust::TrustError::Empty(_))
        ));
        assert!(matches!(
            trust::client(Some(&dir.path().join("none.pem"))),
            Err(trust::TrustError::Unreadable { .. })
        ));
    }
}
