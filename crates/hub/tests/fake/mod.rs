//! Servers of a test's own, over TLS: a hub, who gives tokens, a management plane.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use hubshift_azure::{EntraCredential, EntraLogin};
use hubshift_hub::{AzureSettings, Login, Secret};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What a server was asked, in order.
pub(crate) type Log<T> = Arc<Mutex<Vec<T>>>;

/// A server that runs until the test ends.
pub(crate) struct Fake {
    /// `127.0.0.1:PORT`.
    pub(crate) host: String,
    pub(crate) ca_pem: String,
}

impl Fake {
    /// Serves a router over HTTP/1.1 and HTTP/2.
    pub(crate) async fn serve(router: Router) -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let key = made.signing_key.serialize_pem();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = tcp.local_addr().unwrap().to_string();
        let tls = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move { axum::serve(OverTls { tcp, tls }, router).await });
        Self {
            host,
            ca_pem: made.cert.pem(),
        }
    }

    pub(crate) fn origin(&self) -> String {
        format!("https://{}", self.host)
    }

    /// Settings for this server as a hub.
    pub(crate) fn settings(&self, login: Login) -> AzureSettings {
        AzureSettings {
            ca_pem: Some(self.ca_pem.clone()),
            call_deadline: Duration::from_secs(5),
            read_lag: Duration::ZERO,
            ..AzureSettings::at(self.host.clone(), login)
        }
    }

    /// A login at this server, by what proves who asks.
    pub(crate) fn login(&self, credential: EntraCredential) -> EntraLogin {
        EntraLogin {
            tenant: "tenant".to_owned(),
            client_id: "app".to_owned(),
            credential,
            authority: self.origin(),
        }
    }
}

struct OverTls {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl axum::serve::Listener for OverTls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let Ok((stream, addr)) = self.tcp.accept().await else {
                continue;
            };
            if let Ok(io) = self.tls.accept(stream).await {
                return (io, addr);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// A shared access policy that nobody checks.
pub(crate) fn policy() -> Login {
    Login::Sas {
        policy: "owner".to_owned(),
        key: Secret::new("Y2FuYXJ5LWtleQ=="),
    }
}

pub(crate) fn client_secret() -> EntraCredential {
    EntraCredential::ClientSecret(Secret::new("canary~secret"))
}
