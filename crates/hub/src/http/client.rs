//! The HTTP client: pooled connections, TLS with the roots that the settings name.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::setup::HubSetupError;

/// The longest that connecting and keepalive may take, whatever the deadline.
const MAX_CONNECT: Duration = Duration::from_secs(10);
/// What this program calls itself.
const USER_AGENT: &str = concat!("hubshift/", env!("CARGO_PKG_VERSION"));

/// A client that trusts these certificates, or the public authorities if there are none, and
/// that speaks HTTP/2 with who offers it unless it is to speak HTTP/1.1 only.
pub(crate) fn client(
    ca_pem: Option<&str>,
    call_deadline: Duration,
    http1_only: bool,
) -> Result<Client, HubSetupError> {
    let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(HubSetupError::Tls)?
        .with_root_certificates(roots(ca_pem)?)
        .with_no_client_auth();
    tls.alpn_protocols = protocols(http1_only);
    // A connection that dies in silence must not swallow call after call.
    let keepalive = keepalive(call_deadline);
    let builder = Client::builder()
        .use_preconfigured_tls(tls)
        .user_agent(USER_AGENT)
        .no_proxy()
        .redirect(redirect::Policy::none())
        // Less than the deadline: then a hub that does not take connections is unreachable for
        // certain, where a call that ran out of time would leave it open.
        .connect_timeout((call_deadline / 2).min(MAX_CONNECT))
        .http2_keep_alive_interval(keepalive)
        .http2_keep_alive_timeout(keepalive)
        .http2_keep_alive_while_idle(true);
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(linger(call_deadline));
    builder.build().map_err(HubSetupError::Client)
}

/// How long after a call was given up its bytes may still lie in buffers of ours and be delivered:
/// in those of HTTP/2, where a cancelled request without a body is still sent if it was queued, and
/// in those of the system, which outlive the connection. Then the connection is dropped.
fn linger(call_deadline: Duration) -> Duration {
    call_deadline / 2
}

/// How often an HTTP/2 connection is tried, and how long an answer may take: both together are
/// over in the time that a request may linger.
fn keepalive(call_deadline: Duration) -> Duration {
    (linger(call_deadline) / 2).min(MAX_CONNECT)
}

fn protocols(http1_only: bool) -> Vec<Vec<u8>> {
    let http1 = b"http/1.1".to_vec();
    if http1_only {
        vec![http1]
    } else {
        vec![b"h2".to_vec(), http1]
    }
}

fn roots(ca_pem: Option<&str>) -> Result<RootCertStore, HubSetupError> {
    let Some(pem) = ca_pem else {
        let public = webpki_roots::TLS_SERVER_ROOTS.iter().cloned();
        return Ok(RootCertStore {
            roots: public.collect(),
        });
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|_| HubSetupError::CertificateAuthority)?;
        roots
            .add(certificate)
            .map_err(|_| HubSetupError::CertificateAuthority)?;
    }
    if roots.is_empty() {
        Err(HubSetupError::CertificateAuthority)
    } else {
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_up_is_out_of_every_buffer_half_a_deadline_later() {
        for millis in [1, 500, 1_333, 60_000, 600_000] {
            let deadline = Duration::from_millis(millis);
            let longest = linger(deadline).max(keepalive(deadline) * 2);
            assert!(deadline + longest <= deadline * 3 / 2, "{deadline:?}");
        }
    }
}
