//! Calling another service: a lazy channel that keeps itself alive and carries the trace.
//!
//! Connections are made when first needed and again after they broke. HTTP/2 pings find a dead
//! peer within ten seconds; without them a client behind a healed partition never recovers.

use std::time::Duration;

use serde::Deserialize;
use tonic::Request;
use tonic::transport::Channel;

use crate::config::humane;
use crate::tls::{ClientTls, TlsError};
use crate::trace::TracedChannel;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What generated clients take: `XClient::new(channel)`. Cheap to clone.
pub type GrpcChannel = TracedChannel;

/// Where another service is, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `http://host:port`, or `https://host:port` together with `tls`.
    pub url: String,
    /// TLS settings; needed for `https`.
    #[serde(default)]
    pub tls: Option<ClientTls>,
    /// The deadline of a unary call, for [`deadline`]. The channel itself sets none.
    #[serde(default = "default_timeout", with = "humane")]
    pub timeout: Duration,
}

fn default_timeout() -> Duration {
    Duration::from_secs(10)
}

/// Makes a channel; nothing is connected yet. Call it inside a tokio runtime.
///
/// # Errors
/// The address or its TLS settings cannot work. That the other side is down is not an error here:
/// calls then fail with `UNAVAILABLE`.
pub fn channel(endpoint: &Endpoint) -> Result<GrpcChannel, TlsError> {
    let url = &endpoint.url;
    let bad_url = || TlsError::BadUrl { url: url.clone() };
    let uri: http::Uri = url.parse().map_err(|_| bad_url())?;
    uri.host()
        .filter(|host| !host.is_empty())
        .ok_or_else(bad_url)?;
    let encrypted = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(bad_url()),
    };
    let mut transport = Channel::builder(uri)
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .keep_alive_while_idle(true);
    match (&endpoint.tls, encrypted) {
        (None, false) => {}
        (Some(tls), true) => {
            let config = tls.load()?.timeout(CONNECT_TIMEOUT);
            let refused = |source| TlsError::Channel {
                url: url.clone(),
                source,
            };
            transport = transport.tls_config(config).map_err(refused)?;
        }
        _ => return Err(TlsError::SchemeMismatch { url: url.clone() }),
    }
    Ok(TracedChannel::new(transport.connect_lazy()))
}

/// Gives a call a deadline: the server stops working for it, the client stops waiting.
pub fn deadline<T>(mut request: Request<T>, after: Duration) -> Request<T> {
    request.set_timeout(after);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str, tls: Option<ClientTls>) -> TlsError {
        let timeout = default_timeout();
        channel(&Endpoint {
            url: url.to_owned(),
            tls,
            timeout,
        })
        .unwrap_err()
    }

    #[tokio::test]
    async fn an_address_that_cannot_work_is_refused_with_its_text() {
        for url in [
            "",
            "localhost:7600",
            "ftp://localhost",
            "http://",
            "http//x",
        ] {
            let error = refused(url, None);
            assert!(matches!(error, TlsError::BadUrl { .. }), "{url}: {error}");
        }
    }

    #[tokio::test]
    async fn scheme_and_tls_must_agree() {
        let tls = ClientTls {
            ca: "ca.pem".into(),
            cert: None,
            key: None,
            server_name: None,
        };
        assert!(matches!(
            refused("https://localhost:1", None),
            TlsError::SchemeMismatch { .. }
        ));
        let error = refused("http://localhost:1", Some(tls));
        assert!(matches!(error, TlsError::SchemeMismatch { .. }));
    }
}
