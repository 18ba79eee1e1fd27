//! A pass: a standby follows the active hub.
//!
//! ```text
//! ScanSource ─▶ ScanTarget ─▶ Absent (deletions that no one told us of) ─▶ Seed (by import jobs,
//!                           ▲      where that is quicker) ─▶ Apply (by calls) ─▶ Finish ─▶ Over
//!         News ─────────────┘   a light pass, on news of the journal or of a hub, begins here; it
//!                               runs no jobs
//! ```
//!
//! Durable: bases, tombstones, the standby's watermark. Kept true: a standby is only written under
//! the epoch that the pass began in, and never from an authority that was restored from an older
//! state; a deletion needs a tombstone; what only the standby has is kept; a parent is there before
//! its children; the watermark moves only when nothing is pending that was there when the pass began
//! to apply, but for what cannot carry over: that is listed.

mod absent;
mod apply;
mod finish;
mod need;
mod news;
mod seed;
mod source;
mod trouble;
mod verdict;

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::StepError;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::authority::{EPOCH_FORGOTTEN, FleetView};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::scan::{Options, Scan, ScanCx, TURN};
use crate::store;
use crate::store::replication::Reign;
use crate::workflows::report::{PassResult, Report};
use crate::workflows::trouble::Turn;

pub(crate) use absent::MASS_DELETE;
pub(crate) use source::SOURCE_REWOUND;
pub(crate) use verdict::{is_throttled, judge};

use seed::Seed;

/// Where a pass is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Phase {
    ScanSource,
    ScanTarget,
    News,
    Absent,
    Seed,
    Apply,
    Finish,
    Over,
}

/// How much a pass looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Depth {
    /// What hubs gave hints of; what the journal wrote is known already. Does not move the watermark.
    Light,
    /// The listings of both hubs, and what moved.
    Incremental,
    /// Every device of both hubs.
    Full,
}

/// What a pass remembers between turns.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pass {
    source: HubId,
    target: HubId,
    epoch: Epoch,
    depth: Depth,
    /// By the database's clock.
    start_time: OffsetDateTime,
    /// How old the source's listing may be.
    read_lag: Duration,
    source_scan: Scan,
    target_scan: Scan,
    phase: Phase,
    /// Whether it has to wait before it can read on: for the hub, or for the next day's messages.
    #[serde(default)]
    is_held: bool,
    /// When bringing up to date began: what changed later is not this pass's.
    apply_time: OffsetDateTime,
    /// The last device that was brought up to date.
    after: String,
    created: u64,
    updated: u64,
    deleted: u64,
    /// Writes that did not come through.
    failed: u64,
    /// What waits in this round for its parent to be at the standby; after the last one, what does
    /// so still.
    #[serde(default)]
    orphans: u64,
    /// What was made in this round.
    #[serde(default)]
    made: u64,
    /// What was there otherwise than was known, in this round.
    #[serde(default)]
    stale: u64,
    /// Rounds that were added for that.
    #[serde(default)]
    rounds: u8,
    calls: u64,
    /// Some of what did not come through, each with why.
    #[serde(default)]
    troubles: Vec<String>,
    /// Why not everything was done, `MASS_DELETE`.
    blocked: String,
    /// Whether the source is followed although it was restored from an older state.
    #[serde(default)]
    accept_source: bool,
    /// Whether the source itself told of a deletion.
    #[serde(default)]
    heard_of_deletion: bool,
    /// How far making devices by jobs is.
    #[serde(default)]
    seed: Seed,
    result: Option<PassResult>,
}

/// Where a pass's turn runs.
pub(crate) struct PassCx<'a> {
    pub(crate) deps: &'a Deps,
    pub(crate) fleet: &'a FleetId,
    /// For whom its scans are.
    pub(crate) lane: Lane,
    /// How often the step was tried in a row.
    pub(crate) attempt: u32,
}

impl Pass {
    /// A pass from the active hub to a standby, under the epoch of `view`.
    pub(crate) fn new(view: &FleetView, target: &HubId, depth: Depth) -> Result<Self, StepError> {
        let state = view.hub(target).map(|hub| hub.state);
        if !matches!(state, Some(HubState::Syncing | HubState::Ready)) {
            let state = state.map_or("unknown to the concierge", HubState::as_str);
            let message = format!("hub {target} is {state}; only a Syncing or Ready hub follows");
            return Err(StepError::rejected("HUB_NOT_STANDBY", message));
        }
        let source = view.active_hub.clone();
        let options = Options {
            full: depth == Depth::Full,
            ..Options::default()
        };
        let scan = |hub: &HubId| Scan::new(hub.clone(), view.epoch, options, view.now);
        Ok(Self {
            source_scan: scan(&source),
            target_scan: scan(target),
            read_lag: view
                .hub(&source)
                .map(|hub| hub.read_lag)
                .unwrap_or_default(),
            source,
            target: target.clone(),
            epoch: view.epoch,
            depth,
            start_time: view.now,
            phase: if depth == Depth::Light {
                Phase::News
            } else {
                Phase::ScanSource
            },
            is_held: false,
            apply_time: view.now,
            after: String::new(),
            created: 0,
            updated: 0,
            deleted: 0,
            failed: 0,
            orphans: 0,
            made: 0,
            stale: 0,
            rounds: 0,
            calls: 0,
            troubles: Vec::new(),
            blocked: String::new(),
            accept_source: false,
            heard_of_deletion: false,
            seed: Seed::default(),
            result: None,
        })
    }

    /// What it did; set when it is over.
    pub(crate) fn result(&self) -> Option<&PassResult> {
        self.result.as_ref()
    }

    /// Why not everything was done; empty when nothing stands in the way.
    pub(crate) fn blocked(&self) -> &str {
        &self.blocked
    }

    /// Whether it has to wait before it can read on.
    pub(crate) fn is_held(&self) -> bool {
        self.is_held
    }

    /// Tells how far it is.
    pub(crate) fn tell(&self, report: &mut Report) {
        report.scanned = self.source_scan.scanned + self.target_scan.scanned;
        report.written = self.created + self.updated + self.deleted;
        report.calls = self.source_scan.calls + self.target_scan.calls + self.calls;
    }

    /// Goes on for one turn.
    pub(crate) async fn advance(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        self.check_epoch(cx).await?;
        let until = Instant::now() + TURN;
        loop {
            let turn = match self.phase {
                Phase::ScanSource | Phase::ScanTarget => self.scan(cx).await?,
                Phase::News => self.news(cx).await?,
                Phase::Absent => self.absent(cx).await?,
                Phase::Seed => Box::pin(self.seed(cx)).await?,
                Phase::Apply => self.apply(cx).await?,
                Phase::Finish => self.finish(cx).await?,
                Phase::Over => return Ok(Turn::Over),
            };
            match turn {
                Turn::Over => {}
                Turn::More if Instant::now() < until => {}
                turn => return Ok(turn),
            }
        }
    }

    /// While a higher epoch is known than the database's, nobody knows which hub is to be followed:
    /// nothing is inferred or copied, and the standby's row says why.
    async fn check_epoch(&self, cx: &PassCx<'_>) -> Result<(), StepError> {
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        if !store::authority::is_forgotten(pool, fleet).await? {
            return Ok(());
        }
        let target = self.target.as_str();
        store::replication::set_blocked(pool, fleet, target, EPOCH_FORGOTTEN).await?;
        Err(IntentError::EpochForgotten.into())
    }

    async fn scan(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        let scan_cx = ScanCx {
            deps: cx.deps,
            fleet: cx.fleet,
            lane: cx.lane,
            attempt: cx.attempt,
        };
        let (scan, next) = match self.phase {
            Phase::ScanSource => (&mut self.source_scan, Phase::ScanTarget),
            _ => (&mut self.target_scan, Phase::Absent),
        };
        let turn = scan.advance(&scan_cx).await?;
        self.is_held = matches!(turn, Turn::Pause(_));
        if turn == Turn::Over {
            self.phase = next;
        }
        Ok(turn)
    }

    fn reign<'a>(&'a self, fleet: &'a FleetId) -> Reign<'a> {
        Reign {
            fleet: fleet.as_str(),
            source: self.source.as_str(),
            target: self.target.as_str(),
            epoch: self.epoch.as_i64(),
        }
    }

    fn is_light(&self) -> bool {
        self.depth == Depth::Light
    }
}
