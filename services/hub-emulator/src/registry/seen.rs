//! What queries see of the registry, and what exports take from it: records, a piece at a time or
//! all at once.
//!
//! Records are shared and never change: who has one can look at it long after the registry has
//! another in its place. So the registry is locked while a piece is taken, and no longer.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use time::OffsetDateTime;

use super::{Activity, Record, Registry};

/// A record as a query sees it.
pub(crate) struct Seen {
    pub(crate) record: Arc<Record>,
    activity: Option<Activity>,
}

impl Seen {
    /// The twin as the hub shows it.
    pub(crate) fn twin(&self) -> Value {
        let now = OffsetDateTime::now_utc();
        self.record.twin(self.activity.as_ref(), now)
    }
}

impl Registry {
    /// At most so many of the records that queries see, in the order of their ids.
    pub(crate) fn seen(&self, start: Bound<&str>, most: usize) -> Vec<Seen> {
        let records = self.echo.view(&self.records, start, Instant::now());
        records
            .take(most)
            .map(|record| Seen {
                record: Arc::clone(record),
                activity: self.activity(&record.device_id).copied(),
            })
            .collect()
    }

    /// At most so many records as they are now, in the order of their ids, from after this one.
    pub(crate) fn records_after(&self, id: Option<&str>, most: usize) -> Vec<Arc<Record>> {
        let start = id.map_or(Bound::Unbounded, Bound::Excluded);
        let records = self.records.range::<str, _>((start, Bound::Unbounded));
        records
            .take(most)
            .map(|(_, record)| Arc::clone(record))
            .collect()
    }

    /// All records as they are now, in the order of their ids.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Record>> {
        self.records.values().cloned().collect()
    }
}
