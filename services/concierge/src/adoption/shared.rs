//! What replicas share about who asks: the keys that they hash devices with, and their sketches.
//!
//! A fleet's sketch is written every quarter of its poll period (five seconds at least), and only when
//! somebody asked since. It takes four bytes a device for up to 1,024 devices and 12.3 kB for more.
//! Ten thousand fleets of a thousand devices each that poll once a minute are 670 sketches a second,
//! 2.7 MB; at most [`AT_ONCE`] are written at once (3.1 MB, once a refresh), those that wait longest
//! first, so that more fleets than that are written less often. A database that does not take
//! them changes nothing: they are written the next time.

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::id::FleetId;
use hubshift_domain::siphash::SipKey;
use hubshift_domain::sketch::Sketch;
use hubshift_store::StoreError;
use sqlx::PgPool;
use tokio::time::timeout;

use super::counter::Counter;
use super::{Adoption, ticks, window};
use crate::store::coverage;
use crate::table::{Snapshot, Table};

/// Sketches that are written in one statement, at most.
const AT_ONCE: usize = 256;
/// A database that takes longer has other things to do.
const LIMIT: Duration = Duration::from_secs(1);
/// No fleet's sketch is written more often, tenths of a second.
const SOONEST: u64 = 50;

/// A sketch that is to be written.
pub(super) struct Due {
    pub(super) fleet: FleetId,
    pub(super) sketch: Sketch,
    counter: Arc<Counter>,
    tick: u64,
}

/// Learns the keys of fleets that are new here, and makes room for all of them.
pub(crate) async fn prepare(adoption: &Adoption, pool: &PgPool, table: &Table) {
    let strangers = adoption.strangers(&table.load());
    if !strangers.is_empty() {
        match keys(pool, &strangers).await {
            Ok(keys) => adoption.learn(keys),
            Err(error) => tracing::debug!(%error, "keys of sketches are not known yet"),
        }
    }
    adoption.make_room(&table.load());
}

/// Writes the sketches that it is time for. Never for long: the table is not refreshed meanwhile.
pub(crate) async fn publish(adoption: &Adoption, pool: &PgPool, replica: &str, table: &Table) {
    let due = adoption.due(adoption.tick(), &table.load());
    if due.is_empty() {
        return;
    }
    let fleets: Vec<String> = due.iter().map(|due| due.fleet.to_string()).collect();
    let sketches: Vec<Vec<u8>> = due.iter().map(|due| due.sketch.encode()).collect();
    let write = coverage::write(pool, replica, &fleets, &sketches);
    match timeout(LIMIT, write).await {
        Ok(Ok(())) => due.iter().for_each(Due::note_written),
        Ok(Err(error)) => tracing::debug!(%error, "who asks is not written yet"),
        Err(_) => tracing::debug!("who asks is not written yet: the database is slow"),
    }
}

/// Removes what replicas left that are gone.
pub(crate) async fn tidy(pool: &PgPool) {
    if let Err(error) = coverage::forget_gone_replicas(pool).await {
        tracing::debug!(%error, "sketches of replicas that are gone stay for now");
    }
}

async fn keys(pool: &PgPool, fleets: &[String]) -> Result<Vec<(FleetId, SipKey)>, StoreError> {
    let found = coverage::keys(pool, fleets).await?;
    let read = |(fleet, key): (String, uuid::Uuid)| {
        Some((FleetId::new(fleet).ok()?, SipKey::new(key.into_bytes())))
    };
    Ok(found.into_iter().filter_map(read).collect())
}

impl Due {
    pub(super) fn note_written(&self) {
        self.counter.note_written(self.tick);
    }
}

impl Adoption {
    /// The sketches that it is time to write, of fleets whose key all replicas share.
    pub(super) fn due(&self, tick: u64, snapshot: &Snapshot) -> Vec<Due> {
        let (held, keys) = (self.fleets.load(), self.keys.load());
        let mut waiting = Vec::new();
        for (id, entry) in &snapshot.fleets {
            let Some(counter) = held.get(id).filter(|_| keys.contains_key(id)) else {
                continue;
            };
            let window = window(entry);
            counter.tend(tick, window);
            let every = (ticks(entry.poll_after) / 4).max(SOONEST);
            let written = counter.written();
            if written.is_none_or(|written| tick >= written + every) {
                waiting.push((written, window, id, counter));
            }
        }
        waiting.sort_by_key(|(written, ..)| *written);
        let news = |(_, window, id, counter): (_, u64, &FleetId, &Arc<Counter>)| {
            Some(Due {
                sketch: counter.news(tick, window)?,
                fleet: id.clone(),
                counter: Arc::clone(counter),
                tick,
            })
        };
        waiting.into_iter().filter_map(news).take(AT_ONCE).collect()
    }
}

#[cfg(test)]
mod tests;
