//! Other concierges: while the database is silent, what they serve may be newer than what lies on
//! the disk of this one; and they may know fleets that this one does not, whose table was refused.
//!
//! Nothing here is durable. Kept true: a peer's word counts for no more than a device's, a route
//! with a trusted signature, and a higher epoch alone replaces a lower one. No device waits for a
//! peer: they are asked on the side, and their silence changes nothing. Nobody can list the fleets
//! of a peer: it is asked for one that a device has named, at most once a second.

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use hubshift_domain::id::FleetId;
use hubshift_shell::tls::{ClientTls, TlsError};
use rand::seq::SliceRandom as _;
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::signing::Signer;
use crate::table::{Table, Told, take};

/// A peer that takes longer is passed over until the next round.
const LIMIT: Duration = Duration::from_secs(2);
/// No peer is asked for the same missing fleet more often.
const PACE: Duration = Duration::from_secs(1);
/// Requests to a peer at once.
const AT_ONCE: usize = 16;
/// Answers that are taken together: each change of the table is a whole file on the disk.
const TOGETHER: usize = 256;
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

/// The part of an answer that counts: the route once it is verified, the rest within bounds.
#[derive(Deserialize)]
struct Answer {
    route: String,
    #[serde(default)]
    poll_after_ms: Option<u64>,
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

    /// Follows them until cancelled.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        if self.urls.is_empty() {
            return;
        }
        let work = futures::future::join(self.follow(), self.fetch());
        tokio::select! {
            () = cancel.cancelled() => {}
            _never = work => {}
        }
    }

    /// Asks for what is known here, at once, and again and again while the database is silent.
    async fn follow(&self) {
        let pause = self.table.stale_after();
        loop {
            if self.table.load().is_stale(pause) {
                self.ask().await;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Asks for what devices miss, as soon as they do, until the database said what there is.
    async fn fetch(&self) {
        loop {
            self.table.missed().await;
            let fleets: Vec<FleetId> = self.table.take_missing().into_iter().collect();
            if !self.table.load().is_whole() {
                self.ask_for(&fleets).await;
            }
            tokio::time::sleep(PACE).await;
        }
    }

    /// Asks all of them at once for every fleet that is known here.
    async fn ask(&self) {
        let mut fleets: Vec<FleetId> = self.table.load().fleets.keys().cloned().collect();
        // A peer may refuse so many at once: in the end each fleet had its turn.
        fleets.shuffle(&mut rand::rng());
        self.ask_for(&fleets).await;
    }

    async fn ask_for(&self, fleets: &[FleetId]) {
        let asking = self.urls.iter().map(|peer| self.ask_one(peer, fleets));
        futures::future::join_all(asking).await;
    }

    async fn ask_one(&self, peer: &str, fleets: &[FleetId]) {
        let asked = stream::iter(fleets.to_vec()).map(|fleet| self.learn(peer, fleet));
        let mut answers = pin!(asked.buffer_unordered(AT_ONCE));
        let mut told = Vec::new();
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(answer) => told.extend(answer),
                // One that does not answer would keep the other fleets waiting too.
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::debug!(peer, error, "a peer does not answer");
                    break;
                }
            }
            if told.len() >= TOGETHER {
                self.take(peer, std::mem::take(&mut told)).await;
            }
        }
        self.take(peer, told).await;
    }

    async fn take(&self, peer: &str, told: Vec<Told>) {
        for (fleet, error) in take(&self.table, &self.signer, told).await {
            tracing::debug!(peer, %fleet, %error, "a peer's route is passed over");
        }
    }

    async fn learn(&self, peer: &str, fleet: FleetId) -> Result<Option<Told>, reqwest::Error> {
        let answer = self.answer(peer, &fleet).await?;
        Ok(answer.map(|answer| Told {
            fleet,
            route: answer.route,
            poll_after: answer.poll_after_ms.map(Duration::from_millis),
        }))
    }

    /// What the peer serves; `None` when it serves nothing, or something else. No device is named:
    /// a peer that does not know the fleet either does not ask others for it.
    async fn answer(&self, peer: &str, fleet: &FleetId) -> Result<Option<Answer>, reqwest::Error> {
        let url = format!("{peer}/v1/fleets/{fleet}/endpoint");
        let mut response = self.http.get(url).send().await?;
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            // It would refuse the others too, until the next round.
            response = response.error_for_status()?;
        }
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
        Ok(serde_json::from_slice(&body).ok())
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
