//! Bare hyper behind rustls: a handshake, the same page, HTTP/1.1. Tickets are on, as a server for
//! devices has them; whether a session is resumed is the client's choice.

use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::Encrypted;
use super::axum_get::Page;

/// Serves it.
pub(super) async fn serve(encrypted: &Encrypted) -> anyhow::Result<()> {
    let page = Arc::new(Page::read(&encrypted.served.answer)?);
    let tls = TlsAcceptor::from(Arc::new(tls(&encrypted.cert, &encrypted.key)?));
    let listener = TcpListener::bind(encrypted.served.listen).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let (tls, page) = (tls.clone(), page.clone());
        tokio::spawn(async move {
            // A client that goes away is its own affair.
            let _ended = connection(stream, tls, page).await;
        });
    }
}

async fn connection(stream: TcpStream, tls: TlsAcceptor, page: Arc<Page>) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let stream = tls.accept(stream).await?;
    let service = service_fn(|_request: Request<Incoming>| {
        let answer = answer(&page);
        async move { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await?;
    Ok(())
}

fn answer(page: &Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(page.body.clone()));
    *response.headers_mut() = page.headers.clone();
    response
}

fn tls(cert: &Path, key: &Path) -> anyhow::Result<rustls::ServerConfig> {
    let chain = CertificateDer::pem_file_iter(cert)
        .context("could not read the certificate")?
        .collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_file(key).context("could not read the key")?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    Ok(config)
}
