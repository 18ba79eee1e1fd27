//! `WatchFleet`: the fleet whole, then every change, from the table and not from the database.
//!
//! A slow reader gets the latest state and misses the ones between: a state is whole, so nothing
//! is lost by it and nothing piles up. Who acts on which epoch, and where devices are, is not part
//! of the stream: those change all the time; `GetFleet` has them.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use hubshift_api::pb::concierge::{self as pb, WatchFleetResponse};
use hubshift_api::{enums, fault, times};
use hubshift_domain::id::FleetId;
use tokio::sync::watch::Receiver;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::table::{AnswerError, DebtEntry, FleetEntry, HubEntry, Table};

/// How often a stream on which nothing changes says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What `WatchFleet` answers with.
pub(crate) type FleetStream =
    Pin<Box<dyn Stream<Item = Result<WatchFleetResponse, Status>> + Send + 'static>>;

/// Watches a fleet until the watcher goes or `closing` is cancelled.
pub(crate) fn watch_fleet(
    table: &Table,
    fleet: &FleetId,
    closing: CancellationToken,
) -> Result<FleetStream, AnswerError> {
    // Subscribed before the first look, so that no change falls between the two.
    let changes = table.subscribe();
    let Some(first) = table.get(fleet) else {
        return Err(AnswerError::missing(&table.load(), fleet));
    };
    let watch = Watch {
        table: table.clone(),
        fleet: fleet.clone(),
        changes,
        closing,
        latest: first,
        sent: None,
        is_closed: false,
    };
    Ok(Box::pin(stream::unfold(watch, Watch::next)))
}

struct Watch {
    table: Table,
    fleet: FleetId,
    changes: Receiver<u64>,
    closing: CancellationToken,
    latest: Arc<FleetEntry>,
    sent: Option<pb::Fleet>,
    is_closed: bool,
}

impl Watch {
    async fn next(mut self) -> Option<(Result<WatchFleetResponse, Status>, Self)> {
        if self.is_closed {
            return None;
        }
        if self.sent.is_none() {
            let first = self.send(false);
            return Some((Ok(first), self));
        }
        let heartbeat = Instant::now() + HEARTBEAT;
        loop {
            let is_alive = tokio::select! {
                () = self.closing.cancelled() => false,
                changed = self.changes.changed() => changed.is_ok(),
                () = sleep_until(heartbeat) => {
                    let beat = self.send(true);
                    return Some((Ok(beat), self));
                }
            };
            if !is_alive {
                self.is_closed = true;
                return Some((Err(closing()), self));
            }
            if self.look() {
                let change = self.send(false);
                return Some((Ok(change), self));
            }
        }
    }

    /// Takes the newest state; says whether a watcher would see a difference.
    fn look(&mut self) -> bool {
        let Some(entry) = self.table.get(&self.fleet) else {
            return false;
        };
        self.latest = entry;
        self.sent.as_ref() != Some(&wire_fleet(&self.latest))
    }

    fn send(&mut self, heartbeat: bool) -> WatchFleetResponse {
        let fleet = wire_fleet(&self.latest);
        self.sent = Some(fleet.clone());
        WatchFleetResponse {
            fleet: Some(fleet),
            revision: self.latest.change(),
            heartbeat,
        }
    }
}

fn closing() -> Status {
    let text = "this concierge is going away; watch another one";
    fault::retry(
        Code::Unavailable,
        "SHUTTING_DOWN",
        text,
        Duration::from_millis(100),
    )
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
mod tests {
    use futures::StreamExt as _;

    use super::*;
    use crate::table::fixture;

    async fn serve(table: &Table, entry: FleetEntry) {
        table.serve(vec![entry]).await;
    }

    async fn watched() -> (tempfile::TempDir, Table, FleetStream, CancellationToken) {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::boot(dir.path(), &fixture::signer(), Duration::from_secs(5));
        serve(&table, fixture::entry("acme", 1024, 1)).await;
        let closing = CancellationToken::new();
        let fleet = FleetId::new("acme").unwrap();
        let stream = watch_fleet(&table, &fleet, closing.clone()).unwrap();
        (dir, table, stream, closing)
    }

    async fn next(stream: &mut FleetStream) -> WatchFleetResponse {
        let waited = tokio::time::timeout(Duration::from_secs(10), stream.next()).await;
        waited.unwrap().unwrap().unwrap()
    }

    #[tokio::test]
    async fn the_state_comes_first_and_then_every_change() {
        let (_dir, table, mut stream, _closing) = watched().await;
        let first = next(&mut stream).await;
        assert_eq!(first.fleet.as_ref().unwrap().active_hub, "east");
        assert!(!first.heartbeat);
        serve(&table, fixture::entry("acme", 2049, 2)).await;
        let second = next(&mut stream).await;
        assert_eq!(second.fleet.unwrap().active_hub, "west");
        assert!(second.revision > first.revision);
    }

    #[tokio::test]
    async fn a_slow_reader_gets_the_newest_state_alone() {
        let (_dir, table, mut stream, _closing) = watched().await;
        next(&mut stream).await;
        for version in 2..50 {
            serve(&table, fixture::entry("acme", 1024, version)).await;
        }
        assert_eq!(next(&mut stream).await.fleet.unwrap().routing_version, 49);
        let more = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[tokio::test]
    async fn a_change_of_another_fleet_is_nobodys_business() {
        let (_dir, table, mut stream, _closing) = watched().await;
        next(&mut stream).await;
        let both = vec![
            fixture::entry("acme", 1024, 1),
            fixture::entry("other", 1024, 1),
        ];
        table.serve(both).await;
        let more = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
        assert!(more.is_err(), "{more:?}");
    }

    #[tokio::test]
    async fn a_stream_ends_when_the_concierge_closes() {
        let (_dir, _table, mut stream, closing) = watched().await;
        next(&mut stream).await;
        closing.cancel();
        let last = stream.next().await.unwrap().unwrap_err();
        assert_eq!(fault::reason(&last), "SHUTTING_DOWN");
        assert!(stream.next().await.is_none());
    }

    #[tokio::test]
    async fn an_unknown_fleet_is_refused_at_once() {
        let (_dir, table, _stream, closing) = watched().await;
        let other = FleetId::new("other").unwrap();
        let refused = watch_fleet(&table, &other, closing).err().unwrap();
        assert_eq!(refused, AnswerError::FleetNotFound(other));
    }
}
