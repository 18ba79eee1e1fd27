//! What alert rules read of the table (deploy/prometheus): set when a refresh is through, by fleet,
//! of which there are few.

use time::OffsetDateTime;

use crate::table::Snapshot;

/// The process starts: a database that is down from then on is seen as one that went away now.
pub(crate) fn started() {
    refreshed_now();
}

fn refreshed_now() {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    metrics::gauge!("hubshift_concierge_refresh_timestamp").set(now as f64);
}

/// The table is as the database has it, and the heartbeat is written.
pub(crate) fn refreshed(snapshot: &Snapshot) {
    refreshed_now();
    for (fleet, entry) in &snapshot.fleets {
        let labels = [("fleet", fleet.to_string())];
        metrics::gauge!("hubshift_concierge_devices", &labels).set(entry.device_count as f64);
        let forgotten = f64::from(u8::from(entry.is_forgotten));
        metrics::gauge!("hubshift_concierge_epoch_forgotten", &labels).set(forgotten);
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn a_concierge_that_never_reached_its_database_has_a_time_to_alert_on() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, started);
        let page = handle.render();
        let name = "hubshift_concierge_refresh_timestamp ";
        let mut values = page.lines().filter_map(|line| line.strip_prefix(name));
        let value: f64 = values.next().unwrap().parse().unwrap();
        assert!(value > 1.0e9, "{page}");
    }
}
