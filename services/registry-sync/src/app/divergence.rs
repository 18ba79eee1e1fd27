//! All keys at which base, recovered hub and active hub differ, batch by batch.
//!
//! A batch is read from one state of the database. What changes between batches, or after, is
//! found when the merge is applied: every write is conditional on what was compared here.

use std::collections::{HashMap, HashSet, VecDeque};

use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgPool};

use super::sides::{Known, Place, Sides, sides};
use crate::store::divergence::{self, graves, keys};
use crate::store::journal::list;
use crate::store::{base, observed};

/// Keys found by one look over all devices.
const LOOK: i64 = 20_000;
/// Keys whose records are read together.
const BATCH: usize = 500;

/// One differing key.
#[derive(Debug, Clone)]
pub(crate) struct Triple {
    /// The device.
    pub(crate) device: String,
    /// What is known of it.
    pub(crate) sides: Sides,
    /// Whether it is a module of a device that is disabled at one of the hubs.
    pub(crate) is_out_of_reach: bool,
}

/// The differing keys of two hubs, in the order of the bytes of their ids.
#[derive(Debug)]
pub(crate) struct Divergence {
    pool: PgPool,
    fleet: FleetId,
    primary: Place,
    secondary: Place,
    found: VecDeque<String>,
    after: String,
    is_over: bool,
}

impl Divergence {
    /// From the first key on.
    pub(crate) fn new(pool: PgPool, fleet: FleetId, primary: Place, secondary: Place) -> Self {
        Self {
            pool,
            fleet,
            primary,
            secondary,
            found: VecDeque::new(),
            after: String::new(),
            is_over: false,
        }
    }

    /// The next keys; empty when there are none left.
    pub(crate) async fn next(&mut self) -> Result<Vec<Triple>, StoreError> {
        let mut tx = self.pool.begin().await?;
        divergence::pin(&mut tx).await?;
        if self.found.is_empty() && !self.is_over {
            let (primary, secondary) = (&self.primary.hub, &self.secondary.hub);
            let found = keys(&mut tx, &self.fleet, primary, secondary, &self.after, LOOK).await?;
            self.is_over = i64::try_from(found.len()).is_ok_and(|count| count < LOOK);
            if let Some(last) = found.last() {
                self.after.clone_from(last);
            }
            self.found = found.into();
        }
        let count = self.found.len().min(BATCH);
        let batch: Vec<String> = self.found.drain(..count).collect();
        let triples = self.read(&mut tx, batch).await?;
        tx.rollback().await?;
        Ok(triples)
    }

    async fn read(
        &self,
        connection: &mut PgConnection,
        devices: Vec<String>,
    ) -> Result<Vec<Triple>, StoreError> {
        let fleet = self.fleet.as_str();
        let (primary, secondary) = (self.primary.hub.as_str(), self.secondary.hub.as_str());
        let mut known: HashMap<String, Known> = HashMap::with_capacity(devices.len());
        for row in base::get_many(&mut *connection, fleet, primary, &devices).await? {
            let device = row.device_id.clone();
            known.entry(device).or_default().base = Some(row);
        }
        for row in observed::get_many(&mut *connection, fleet, primary, &devices).await? {
            let device = row.device_id.clone();
            known.entry(device).or_default().primary = Some(row);
        }
        for row in observed::get_many(&mut *connection, fleet, secondary, &devices).await? {
            let device = row.device_id.clone();
            known.entry(device).or_default().secondary = Some(row);
        }
        for row in graves(&mut *connection, &self.fleet, &devices).await? {
            let device = row.device_id.clone();
            known.entry(device).or_default().grave = Some(row);
        }
        for row in list::facts(&mut *connection, &self.fleet, &devices).await? {
            let device = row.device_id.clone();
            known.entry(device).or_default().change = row.change;
        }
        let hubs = [&self.primary.hub, &self.secondary.hub];
        let closed = divergence::out_of_reach(connection, &self.fleet, hubs, &devices).await?;
        let closed: HashSet<String> = closed.into_iter().collect();
        let triples = devices.into_iter().map(|device| {
            let known = known.remove(&device).unwrap_or_default();
            Triple {
                sides: sides(&known, &self.primary, &self.secondary),
                is_out_of_reach: closed.contains(&device),
                device,
            }
        });
        Ok(triples.collect())
    }
}
