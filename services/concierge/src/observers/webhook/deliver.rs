//! The way to the receiver.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use hubshift_domain::pacing::backoff;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::mpsc::Receiver;
use tokio_util::sync::CancellationToken;

use super::{News, WebhookConfig, begin_counting, count};
use crate::observers::trust::{self, TrustError};

/// The receiver has so long to answer.
const LIMIT: Duration = Duration::from_secs(10);
/// Tries of one piece of news: with the pauses between them, about five minutes.
const TRIES: u32 = 15;
/// What the body is signed with.
const SIGNATURE: &str = "x-hubshift-signature";

/// A webhook that can't be called. Says neither address nor secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// Not an address, or one that would be read on the way.
    #[error("url is not an https address, nor an http one on loopback")]
    Address,
    /// The secret can't be read.
    #[error("secret_file {} can't be read", .path.display())]
    Secret {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is nothing in it.
    #[error("secret_file {} is empty", .0.display())]
    Empty(PathBuf),
    /// The authorities can't be had.
    #[error("ca can't be used")]
    Trust(#[from] TrustError),
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made")]
    Client(#[source] reqwest::Error),
}

/// Why the receiver was not told.
#[derive(Debug, thiserror::Error)]
enum DeliveryError {
    /// It can't be reached, or does not answer.
    #[error("the receiver does not answer")]
    Http(#[source] reqwest::Error),
    /// It does not take it.
    #[error("the receiver says {0}")]
    Refused(reqwest::StatusCode),
    /// It can't be written down.
    #[error("the news is not JSON")]
    Json(#[from] serde_json::Error),
}

/// Somebody to tell.
pub(in crate::observers) struct Webhook {
    url: Url,
    key: Option<SecretString>,
    http: Client,
}

impl Webhook {
    /// Reads the secret and checks the address.
    pub(in crate::observers) fn open(config: &WebhookConfig) -> Result<Self, WebhookError> {
        let mut tls = trust::client(config.ca.as_deref())?;
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let http = Client::builder()
            .no_proxy()
            .redirect(redirect::Policy::none())
            .timeout(LIMIT)
            .use_preconfigured_tls(tls)
            .build()
            .map_err(|error| WebhookError::Client(error.without_url()))?;
        Ok(Self {
            url: address(config.url.expose_secret()).ok_or(WebhookError::Address)?,
            key: config.secret_file.clone().map(secret).transpose()?,
            http,
        })
    }

    /// Tells what comes, until cancelled.
    pub(in crate::observers) async fn run(
        self,
        mut news: Receiver<News>,
        cancel: CancellationToken,
    ) {
        begin_counting();
        let tell = async {
            while let Some(news) = news.recv().await {
                self.tell(&news).await;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = tell => {}
        }
    }

    /// Tries until the receiver has it, or for as long as it is worth.
    async fn tell(&self, news: &News) {
        for attempt in 0..TRIES {
            match self.deliver(news).await {
                Ok(()) => return count("sent"),
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(attempt, error, "the webhook was not told");
                }
            }
            tokio::time::sleep(backoff(attempt, rand::random())).await;
        }
        count("failed");
        tracing::warn!(news = news.text, "the webhook could not be told");
    }

    async fn deliver(&self, news: &News) -> Result<(), DeliveryError> {
        let body = serde_json::to_vec(news)?;
        let mut request = self.http.post(self.url.clone());
        request = request.header(CONTENT_TYPE, "application/json");
        if let Some(key) = &self.key {
            request = request.header(SIGNATURE, signature(key, &body));
        }
        let sent = request.body(body).send().await;
        let answer = sent.map_err(|error| DeliveryError::Http(error.without_url()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(DeliveryError::Refused(status)),
        }
    }
}

/// `sha256=` and the HMAC of the body, hexadecimal.
fn signature(key: &SecretString, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose_secret().as_bytes()) else {
        unreachable!("an hmac key may have any length")
    };
    mac.update(body);
    let hex = mac.finalize().into_bytes();
    let hex = hex.iter().map(|byte| format!("{byte:02x}"));
    format!("sha256={}", hex.collect::<String>())
}

/// An address that nobody on the way can read along.
fn address(text: &str) -> Option<Url> {
    let url = Url::parse(text.trim()).ok()?;
    let host = url.host_str()?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_here = bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match url.scheme() {
        "https" => Some(url),
        "http" if is_here => Some(url),
        _ => None,
    }
}

fn secret(path: PathBuf) -> Result<SecretString, WebhookError> {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(source) => return Err(WebhookError::Secret { path, source }),
    };
    match text.trim() {
        "" => Err(WebhookError::Empty(path)),
        text => Ok(SecretString::from(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_read_on_the_way_is_no_address() {
        for url in [
            "https://hooks.example.net/a?token=b",
            "http://127.0.0.1:9/a",
            "http://localhost/a",
            "http://[::1]:9/a",
        ] {
            assert!(address(url).is_some(), "{url}");
        }
        for url in ["http://hooks.example.net", "ftp://127.0.0.1", "hooks", ""] {
            assert!(address(url).is_none(), "{url}");
        }
    }

    /// An alert on a rise sees the first failure, too.
    #[test]
    fn the_counters_are_there_before_anything_failed() {
        let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, begin_counting);
        let page = handle.render();
        for outcome in ["sent", "failed", "lost"] {
            let line = format!("hubshift_webhook_total{{outcome=\"{outcome}\"}} 0");
            assert!(page.contains(&line), "{line} is not in\n{page}");
        }
    }

    /// The second case of RFC 4231.
    #[test]
    fn the_signature_is_an_hmac_of_the_body() {
        let signed = signature(&"Jefe".into(), b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signed, format!("sha256={expected}"));
    }

    #[test]
    fn nothing_secret_is_in_an_error_or_in_debug_output() {
        let config = WebhookConfig {
            url: "http://hooks.example.net/canary-token".into(),
            secret_file: None,
            ca: None,
        };
        let error = Webhook::open(&config).err().unwrap();
        for shown in [
            format!("{config:?}"),
            format!("{error:?}"),
            error.to_string(),
        ] {
            assert!(!shown.contains("canary"), "{shown}");
        }
    }

    #[test]
    fn a_secret_that_is_not_there_is_refused_by_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let missing = secret(path.clone()).unwrap_err();
        assert!(matches!(missing, WebhookError::Secret { .. }));
        std::fs::write(&path, " \n").unwrap();
        assert!(matches!(secret(path.clone()), Err(WebhookError::Empty(_))));
        std::fs::write(&path, "key\n").unwrap();
        assert_eq!(secret(path).unwrap().expose_secret(), "key");
    }
}
