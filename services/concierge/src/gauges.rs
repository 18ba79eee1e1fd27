//! What alert rules read of the table (deploy/prometheus): set when a refresh is through, by fleet,
//! of which there are few.

use time::OffsetDateTime;

use crate::table::Snapshot;

/// The table is as the database has it, and the heartbeat is written.
pub(crate) fn refreshed(snapshot: &Snapshot) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    metrics::gauge!("hubshift_concierge_refresh_timestamp").set(now as f64);
    for (fleet, entry) in &snapshot.fleets {
        let labels = [("fleet", fleet.to_string())];
        metrics::gauge!("hubshift_concierge_devices", &labels).set(entry.device_count as f64);
        let forgotten = f64::from(u8::from(entry.is_forgotten));
        metrics::gauge!("hubshift_concierge_epoch_forgotten", &labels).set(forgotten);
    }
}
