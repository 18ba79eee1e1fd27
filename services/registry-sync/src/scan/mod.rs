//! A scan: everything that one hub holds, page by page, into `registry.observed`.
//!
//! ```text
//! Open ─▶ List (a page: unchanged etags are marked, the others read) ─▶ Confirm (what was not
//!         listed is asked for by its id) ─▶ Close (count, digest, evidence) ─▶ Over
//! ```
//!
//! Durable: its rows, and its own place in the state of the workflow that runs it. Kept true: a
//! listing is only a hint; what a row says was read from the hub itself, and a device counts as
//! missing only when the hub, asked for it, said so. A module that the hub does not let be read
//! keeps its row as it was.

mod close;
mod confirm;
mod list;
mod named;
mod read;

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use hubshift_flow::StepError;
use hubshift_hub::Hub;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;
use uuid::Uuid;

use crate::budget::Lane;
use crate::deps::Deps;
use crate::seal::FleetKeys;
use crate::store;
use crate::workflows::trouble::{Turn, hub_failed};

/// How long one turn works before its place is stored.
pub(crate) const TURN: Duration = Duration::from_secs(2);
/// How many calls to a hub run at once.
pub(crate) const CONCURRENCY: usize = 16;
/// Devices read and stored together.
const CHUNK: usize = 100;

/// Where a scan is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    #[default]
    Open,
    List,
    Confirm,
    ConfirmBase,
    Close,
    Over,
}

/// What a scan remembers between turns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Scan {
    hub: HubId,
    epoch: Epoch,
    /// Read every device, whatever its etags say.
    full: bool,
    /// Keep a row of the scan, for others to pin, with count and digest.
    is_pinned: bool,
    /// Look for signs of a restore to an older state.
    detect_rewind: bool,
    /// Rises with the time at which scans begin; its time is in it.
    scan_id: Uuid,
    start_time: OffsetDateTime,
    phase: Phase,
    cursor: Option<String>,
    /// The last base key that was asked for.
    after: String,
    /// Devices looked at.
    pub(crate) scanned: u64,
    /// Calls made.
    pub(crate) calls: u64,
    /// How often the listing began again.
    #[serde(default)]
    restarts: u32,
    rewind: Rewind,
    count: i64,
    digest: Fingerprint,
}

/// Signs of an older state.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Rewind {
    /// Devices whose twin version fell.
    older: u64,
    older_sample: Vec<String>,
    is_rewound: bool,
    evidence: String,
}

/// What a scan is to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Read every device, whatever its etags say.
    pub(crate) full: bool,
    /// Keep a row of the scan, for others to pin, with count and digest.
    pub(crate) is_pinned: bool,
    /// Look for signs of a restore to an older state.
    pub(crate) detect_rewind: bool,
}

/// What a pinned scan found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) scan_id: Uuid,
    pub(crate) count: u64,
    pub(crate) digest: Fingerprint,
    pub(crate) is_rewound: bool,
    pub(crate) evidence: String,
}

/// Where a scan's turn runs.
pub(crate) struct ScanCx<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) fleet: &'a FleetId,
    /// For whom.
    pub(crate) lane: Lane,
    /// How often the step was tried in a row.
    pub(crate) attempt: u32,
}

/// What a turn works with.
struct Work<'a> {
    cx: &'a ScanCx<'a>,
    keys: Arc<FleetKeys>,
    hub: Arc<dyn Hub>,
    until: Instant,
}

impl Scan {
    /// A scan that begins at `now`, which is by the database's clock.
    pub(crate) fn new(hub: HubId, epoch: Epoch, options: Options, now: OffsetDateTime) -> Self {
        Self {
            hub,
            epoch,
            full: options.full,
            is_pinned: options.is_pinned,
            detect_rewind: options.detect_rewind,
            scan_id: rising_id(now),
            start_time: now,
            phase: Phase::Open,
            cursor: None,
            after: String::new(),
            scanned: 0,
            calls: 0,
            restarts: 0,
            rewind: Rewind::default(),
            count: 0,
            digest: Fingerprint::default(),
        }
    }

    /// When its first read began, by the database's clock.
    pub(crate) fn start_time(&self) -> OffsetDateTime {
        self.start_time
    }

    /// What it found; to be asked when it is over.
    pub(crate) fn found(&self) -> Found {
        Found {
            scan_id: self.scan_id,
            count: u64::try_from(self.count).unwrap_or(0),
            digest: self.digest,
            is_rewound: self.rewind.is_rewound,
            evidence: self.rewind.evidence.clone(),
        }
    }

    /// Goes on for one turn.
    pub(crate) async fn advance(&mut self, cx: &ScanCx<'_>) -> Result<Turn, StepError> {
        let work = Work {
            cx,
            keys: cx.deps.keys(cx.fleet).await?,
            hub: cx.deps.hubs.get(cx.fleet, &self.hub, cx.lane).await?,
            until: Instant::now() + TURN,
        };
        loop {
            let turn = match self.phase {
                Phase::Open => self.open(&work).await?,
                Phase::List => self.list(&work).await?,
                Phase::Confirm => self.confirm(&work).await?,
                Phase::ConfirmBase => self.confirm_base(&work).await?,
                Phase::Close => self.close(&work).await?,
                Phase::Over => return Ok(Turn::Over),
            };
            match turn {
                Turn::Over => {}
                Turn::More if Instant::now() < work.until => {}
                turn => return Ok(turn),
            }
        }
    }

    async fn open(&mut self, work: &Work<'_>) -> Result<Turn, StepError> {
        if self.is_pinned {
            store::scan::open(&work.cx.deps.pool, &self.new_row(work)).await?;
        }
        self.phase = Phase::List;
        Ok(Turn::More)
    }

    fn new_row<'a>(&'a self, work: &Work<'a>) -> store::scan::NewScan<'a> {
        store::scan::NewScan {
            scan_id: self.scan_id,
            fleet: work.cx.fleet.as_str(),
            hub: self.hub.as_str(),
            epoch: self.epoch.as_i64(),
            start_time: self.start_time,
        }
    }
}

impl Work<'_> {
    fn failed(&self, error: hubshift_hub::HubError) -> Result<Turn, StepError> {
        hub_failed(error, self.cx.attempt)
    }
}

/// An id that is greater than those of all scans that began earlier.
fn rising_id(now: OffsetDateTime) -> Uuid {
    let seconds = u64::try_from(now.unix_timestamp()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        seconds,
        now.nanosecond(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_scan_has_the_greater_id() {
        let now = OffsetDateTime::now_utc();
        let later = now + Duration::from_millis(2);
        assert!(rising_id(now) < rising_id(later));
    }
}
