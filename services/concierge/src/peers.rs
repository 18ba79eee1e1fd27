//! Other concierges: while the database is silent, what they serve may be newer than what lies on
//! the disk of this one.
//!
//! Nothing here is durable. Kept true: a peer's word counts for no more than a device's, a route
//! with a trusted signature, and a higher epoch alone replaces a lower one. No device waits for a
//! peer: they are asked on the side, and their silence changes nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::FleetId;
use hubshift_shell::tls::{ClientTls, TlsError};
use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::signing::Signer;
use crate::table::{Table, present};

/// A peer that takes longer is passed over until the next round.
const LIMIT: Duration = Duration::from_secs(2);
/// No answer is longer, bytes: it is a route and a little advice.
const MAX_ANSWER: usize = 16 * 1024;

/// Peers that can't be asked. A configuration error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PeersError {
    /// Not an address.
    #[error("`{0}` is not an address like https://concierge.example.net:8443")]
    Address(String),
    /// Nobody would be believed.
    #[error("`{0}` needs peers_ca, the authority of its certificate")]
    NoAuthority(String),
    /// The authority can't be read.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client can't be made.
    #[error("the HTTP client can't be made")]
    Client(#[source] reqwest::Error),
}

/// The part of an answer that is believed once it is verified.
#[derive(Deserialize)]
struct Answer {
    route: String,
}

/// Asks other concierges.
pub(crate) struct Peers {
    urls: Vec<String>,
    http: Client,
    table: Table,
    signer: Arc<Signer>,
}

impl Peers {
    /// Peers by the addresses of their public listeners; `ca` may have signed their certificates.
    pub(crate) fn new(
        urls: &[String],
        ca: Option<&Path>,
        table: Table,
        signer: Arc<Signer>,
    ) -> Result<Self, PeersError> {
        let urls = urls.iter().map(|url| address(url, ca.is_some()));
        Ok(Self {
            urls: urls.collect::<Result<_, _>>()?,
            http: client(ca)?,
            table,
            signer,
        })
    }

    /// Asks them at once, and again and again while the database is silent, until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        if self.urls.is_empty() {
            return;
        }
        let pause = self.table.stale_after();
        loop {
            if self.table.load().is_stale(pause) {
                tokio::select! {
                    () = cancel.cancelled() => return,
                    () = self.ask() => {}
                }
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Asks all of them at once for every fleet that is known here.
    async fn ask(&self) {
        let fleets: Vec<FleetId> = self.table.load().fleets.keys().cloned().collect();
        let asking = self.urls.iter().map(|peer| self.ask_one(peer, &fleets));
        futures::future::join_all(asking).await;
    }

    async fn ask_one(&self, peer: &str, fleets: &[FleetId]) {
        for fleet in fleets {
            let route = match self.route(peer, fleet).await {
                Ok(Some(route)) => route,
                Ok(None) => continue,
                // It would keep the other fleets waiting too.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(peer, error, "a peer does not answer");
                    return;
                }
            };
            if let Err(error) = present(&self.table, &self.signer, fleet, &route).await {
                tracing::debug!(peer, %fleet, %error, "a peer's route is passed over");
            }
        }
    }

    /// The route that the peer serves; `None` when it serves none, or something else.
    async fn route(&self, peer: &str, fleet: &FleetId) -> Result<Option<String>, reqwest::Error> {
        let url = format!("{peer}/v1/fleets/{fleet}/endpoint");
        let mut response = self.http.get(url).send().await?;
        if !response.status().is_success() {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await? {
            if body.len() + part.len() > MAX_ANSWER {
                return Ok(None);
            }
            body.extend_from_slice(&part);
        }
        let answer = serde_json::from_slice(&body).ok();
        Ok(answer.map(|Answer { route }| route))
    }
}

fn address(text: &str, has_authority: bool) -> Result<String, PeersError> {
    let scheme = Url::parse(text).map(|url| url.scheme().to_owned());
    match scheme.as_deref() {
        Ok("https") if !has_authority => Err(PeersError::NoAuthority(text.to_owned())),
        Ok("https" | "http") => Ok(text.trim_end_matches('/').to_owned()),
        Ok(_) | Err(_) => Err(PeersError::Address(text.to_owned())),
    }
}

fn client(ca: Option<&Path>) -> Result<Client, PeersError> {
    let mut builder = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .connect_timeout(LIMIT / 2)
        .timeout(LIMIT);
    if let Some(ca) = ca {
        let trusted = ClientTls {
            ca: ca.to_owned(),
            cert: None,
            key: None,
            server_name: None,
        };
        let mut tls = (*trusted.rustls()?).clone();
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        builder = builder.use_preconfigured_tls(tls);
    }
    builder.build().map_err(PeersError::Client)
}

#[cfg(test)]
mod tests;
