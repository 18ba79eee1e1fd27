//! Tells somebody when a hub looks dead, or alive again: a POST of JSON, signed if there is a secret.
//!
//! At least once, from memory only: what is still waiting when the process ends is not told, and after
//! a restart a hub that looks dead is told once more. The news of one concierge come in order, one at
//! a time, each tried for some minutes; while the receiver is down they wait in a queue, and what does
//! not fit is lost (`hubshift_webhook_total{outcome="lost"}`). No look at a hub ever waits for it.
//!
//! Neither the address, which may hold a token, nor the secret is in any log, error or `Debug` output.

mod deliver;

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Key;
pub(super) use deliver::{Webhook, WebhookError};

/// Who is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where to POST: `https`, or `http` on loopback. May hold a token, and is never shown.
    pub url: SecretString,
    /// A file with the key of the HMAC-SHA256 over the body, which goes along as
    /// `X-Hubshift-Signature: sha256=…`, hexadecimal; white space around it does not count.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// Authorities that may have signed the receiver's certificate, beside the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
}

/// A hub that died, or came back, as seen from one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct News {
    pub(super) fleet: String,
    pub(super) hub: String,
    pub(super) from: String,
    pub(super) alive: bool,
    /// RFC 3339.
    pub(super) since: String,
    /// Why it looks dead; empty when it does not.
    pub(super) error: String,
    /// All of it for a person.
    pub(super) text: String,
}

impl News {
    pub(super) fn new(
        (fleet, hub): &Key,
        from: &str,
        alive: bool,
        since: OffsetDateTime,
        error: String,
    ) -> Self {
        let seconds = since.replace_nanosecond(0).unwrap_or(since);
        let since = seconds.format(&Rfc3339).unwrap_or_default();
        let looks = if alive { "alive again" } else { "dead" };
        let mut text =
            format!("hub {hub} of fleet {fleet} looks {looks} from {from} since {since}");
        if !error.is_empty() {
            text = format!("{text} ({error})");
        }
        Self {
            fleet: fleet.to_string(),
            hub: hub.to_string(),
            from: from.to_owned(),
            alive,
            since,
            error,
            text,
        }
    }
}

/// Counts news that nobody will be told.
pub(super) fn lost() {
    count("lost");
    tracing::warn!("the webhook's queue is full: news of a hub is lost to it");
}

/// Makes the counters, at zero: a counter that appears with its first failure has not risen.
fn begin_counting() {
    for outcome in ["sent", "failed", "lost"] {
        metrics::counter!("hubshift_webhook_total", "outcome" => outcome).increment(0);
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("hubshift_webhook_total", "outcome" => outcome).increment(1);
}
