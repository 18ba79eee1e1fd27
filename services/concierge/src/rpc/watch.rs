//! `WatchFleet`: the fleet whole, then every change, from the table and not from the database.
//!
//! For tens of thousands of streams: a state is encoded once ([`frames`]), a stream is a [`body`]
//! of a few bytes with a [seat](seats) on its own thread, and only streams of a fleet that changed
//! are woken ([`lobby`]).
//!
//! Kept true: a slow reader gets the newest state and misses those between; a state is whole, so
//! nothing is lost by it and nothing piles up. A stream that nobody reads for [`SLOW`] while
//! something waits on it is ended, alone. Who acts on which epoch, and where devices are, is not
//! part of the stream: those change all the time; `GetFleet` has them. Nothing here is durable.

mod body;
mod decoded;
mod ends;
mod frames;
mod lobby;
mod route;
mod seats;
mod slots;
mod tally;
mod ticket;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hubshift_api::pb::concierge::{self as pb, WatchFleetRequest};
use hubshift_api::validate::Checks;
use hubshift_api::{enums, times};
use hubshift_domain::id::FleetId;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tonic::Status;

pub(crate) use body::WatchBody;
pub(crate) use decoded::FleetStream;
use frames::Frames;
use lobby::Lobby;
pub(crate) use route::{PATH, method};
use ticket::Ticket;

use crate::app::wire;
use crate::table::{AnswerError, DebtEntry, FleetEntry, HubEntry, Table};

/// How often every stream says at least that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long a reader may take nothing while something waits for it; found out at its heartbeat.
const SLOW: Duration = Duration::from_secs(60);
/// Heartbeats are spread over so many moments.
const CLASSES: u32 = 64;

/// Everybody who watches a fleet at this process; clones share it.
#[derive(Clone)]
pub(crate) struct Watchers {
    shared: Arc<Shared>,
}

struct Shared {
    table: Table,
    frames: Frames,
    pace: Pace,
    limit: usize,
    closing: CancellationToken,
    watching: AtomicUsize,
    /// By runtime.
    lobbies: Mutex<HashMap<tokio::runtime::Id, Weak<Lobby>>>,
}

/// How fast everything goes.
#[derive(Debug, Clone, Copy)]
struct Pace {
    heartbeat: Duration,
    slow: Duration,
}

impl Pace {
    /// Between two moments of heartbeats.
    fn tick(self) -> Duration {
        self.heartbeat / CLASSES
    }

    /// How many ticks a reader may take nothing.
    fn patience(self) -> u32 {
        let ticks = self.slow.as_nanos() / self.tick().as_nanos().max(1);
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

/// What a watcher has already. Zeros: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Resume {
    epoch: u64,
    revision: u64,
}

impl Watchers {
    /// Nobody yet, and never more than `limit`; all streams end when `closing` is cancelled.
    pub(crate) fn new(table: Table, limit: usize, closing: CancellationToken) -> Self {
        let pace = Pace {
            heartbeat: HEARTBEAT,
            slow: SLOW,
        };
        Self::paced(table, limit, closing, pace)
    }

    fn paced(table: Table, limit: usize, closing: CancellationToken, pace: Pace) -> Self {
        let shared = Shared {
            table,
            frames: Frames::default(),
            pace,
            limit,
            closing,
            watching: AtomicUsize::new(0),
            lobbies: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Begins a watch.
    pub(crate) fn open(&self, request: &WatchFleetRequest) -> Result<WatchBody, Status> {
        let mut checks = Checks::new();
        let fleet = checks.fleet("name", &request.name);
        let fleet = checks.require(fleet)?;
        let shared = &self.shared;
        if shared.closing.is_cancelled() {
            return Err(ends::shutting_down());
        }
        let entry = shared.table.get(&fleet);
        let entry = entry.ok_or_else(|| AnswerError::missing(&shared.table.load(), &fleet))?;
        let resume = Resume {
            epoch: request.epoch,
            revision: request.revision,
        };
        Ok(WatchBody::new(entry, resume, Ticket::take(shared)?))
    }
}

impl Shared {
    /// Where the streams of this runtime sit; made, with its task, when there is none.
    fn lobby(self: &Arc<Self>, runtime: &Handle) -> Arc<Lobby> {
        let mut lobbies = lock(&self.lobbies);
        let held = lobbies.get(&runtime.id()).and_then(Weak::upgrade);
        if let Some(open) = held.filter(|lobby| !lobby.is_closed()) {
            return open;
        }
        let lobby = Arc::new(Lobby::new(self.clone()));
        lobbies.insert(runtime.id(), Arc::downgrade(&lobby));
        // Subscribed before anybody looks at the table, so that no change falls between the two.
        let changes = self.table.subscribe();
        runtime.spawn(lobby::run(lobby::Open(lobby.clone()), changes));
        lobby
    }

    /// Tells the metrics how things stand.
    fn tell(&self) {
        let watching = self.watching.load(Ordering::Relaxed);
        metrics::gauge!("hubshift_watchers").set(watching as f64);
        metrics::gauge!("hubshift_watch_states").set(self.frames.alive() as f64);
    }
}

/// Locks; what is kept under locks here is whole after every statement.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fleet as the table has it, for back ends.
fn wire_fleet(entry: &FleetEntry) -> pb::Fleet {
    let id = &entry.fleet_id;
    pb::Fleet {
        name: id.name(),
        display_name: entry.display_name.clone(),
        home_hub: entry.home_hub.to_string(),
        active_hub: entry.active_hub.to_string(),
        epoch: entry.epoch.0,
        routing_version: entry.routing_version,
        registry_mode: enums::registry_mode(entry.registry_mode).into(),
        hubs: entry.hubs.iter().map(|hub| wire_hub(id, hub)).collect(),
        device_count: entry.device_count,
        utilisation_percent: u32::from(entry.utilisation_percent),
        poll_after: Some(times::std_duration(entry.poll_after)),
        on_unreachable: entry.on_unreachable.to_string(),
        debts: entry.debts.iter().map(|debt| wire_debt(id, debt)).collect(),
        back_ends: Vec::new(),
        adoption: None,
        etag: entry.etag(),
        create_time: Some(times::timestamp(entry.create_time)),
        update_time: Some(times::timestamp(entry.update_time)),
        alerts: entry.alerts(),
        waves: wire::waves(&entry.waves),
        canary: entry
            .canary
            .as_ref()
            .map(|canary| wire::canary(canary, entry.device_count, None)),
    }
}

fn wire_hub(fleet: &FleetId, hub: &HubEntry) -> pb::Hub {
    pb::Hub {
        name: fleet.hub_name(&hub.hub_id),
        region: hub.region.clone(),
        host: hub.host.clone(),
        service_host: hub.service_host.clone(),
        event_endpoint: hub.event_endpoint.clone(),
        labels: hub.labels.clone().into_iter().collect(),
        admission_per_second: hub.admission_per_second,
        call_deadline: Some(times::std_duration(hub.call_deadline)),
        read_lag: Some(times::std_duration(hub.read_lag)),
        state: enums::hub_state(hub.state).into(),
        index: u32::from(hub.index),
        observations: Vec::new(),
    }
}

fn wire_debt(fleet: &FleetId, debt: &DebtEntry) -> pb::Debt {
    pb::Debt {
        kind: debt.kind.to_uppercase(),
        hub: debt.hub.to_string(),
        failover: fleet.child_name("failovers", debt.failover),
        epoch: debt.epoch.0,
        create_time: Some(times::timestamp(debt.create_time)),
        error: String::new(),
    }
}

#[cfg(test)]
mod tests;
