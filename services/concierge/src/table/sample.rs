//! A table as a concierge with many fleets leaves it on its disk, for `testing`.

use std::path::Path;
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::route::{self, OnUnreachable};
use time::OffsetDateTime;

use super::file::{self, TableFile};
use super::{FleetEntry, FleetFacts, HubEntry, Snapshot};
use crate::signing::{Signer, SigningFiles};

/// Writes it, with the key that signed it.
pub(crate) fn write(dir: &Path, fleets: usize) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir)?;
    let now = OffsetDateTime::now_utc();
    let signer = Signer::open(&SigningFiles::in_dir(dir), now)?;
    let entries: anyhow::Result<Vec<_>> = (0..fleets)
        .map(|number| entry(number, &signer, now))
        .collect();
    let snapshot = Snapshot::from_disk(entries?, now);
    let bytes = file::encode(&snapshot, &signer.seal())?;
    Ok(TableFile::in_dir(dir).save(&bytes)?)
}

fn entry(number: usize, signer: &Signer, now: OffsetDateTime) -> anyhow::Result<FleetEntry> {
    let facts = facts(number, now)?;
    let claims = route::claims(&facts.route_inputs(), now)?;
    let jws = signer.sign(&claims)?;
    Ok(FleetEntry::new(facts, jws.into(), claims))
}

fn facts(number: usize, now: OffsetDateTime) -> anyhow::Result<FleetFacts> {
    let fleet = format!("fleet-{number}");
    let hubs = vec![
        hub(&fleet, "west-europe", 0, HubState::Active)?,
        hub(&fleet, "north-europe", 1, HubState::Ready)?,
    ];
    Ok(FleetFacts {
        fleet_id: FleetId::new(fleet.as_str())?,
        display_name: format!("Fleet number {number}"),
        home_hub: hubs[0].hub_id.clone(),
        active_hub: hubs[0].hub_id.clone(),
        epoch: Epoch::first(0),
        routing_version: 1,
        registry_mode: RegistryMode::Open,
        hubs,
        device_count: 100_000,
        utilisation_percent: 80,
        poll_after: Duration::from_secs(60),
        on_unreachable: OnUnreachable::StandbyAfter(Duration::from_secs(900)),
        debts: Vec::new(),
        waves: Vec::new(),
        canary: None,
        epoch_opened: now,
        create_time: now,
        update_time: now,
        revision: 1,
        authority_revision: 1,
        is_forgotten: false,
    })
}

fn hub(fleet: &str, region: &str, index: u16, state: HubState) -> anyhow::Result<HubEntry> {
    Ok(HubEntry {
        hub_id: HubId::new(region)?,
        index,
        state,
        region: region.to_owned(),
        host: format!("{fleet}-{region}.azure-devices.net"),
        service_host: String::new(),
        event_endpoint: format!("sb://{fleet}-{region}.servicebus.windows.net/"),
        labels: [("environment".to_owned(), "production".to_owned())].into(),
        admission_per_second: 6_000,
        call_deadline: Duration::from_secs(90),
        read_lag: Duration::from_secs(10),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn the_table_is_served_as_the_concierges_own() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), 3).unwrap();
        let files = SigningFiles::in_dir(dir.path());
        let signer = Signer::open(&files, OffsetDateTime::UNIX_EPOCH).unwrap();
        let loaded = TableFile::in_dir(dir.path()).load(&signer.seal()).unwrap();
        assert!(loaded.is_vouched);
        let table = Table::boot(dir.path(), &signer, Duration::from_secs(5));
        let entry = table.get(&FleetId::new("fleet-2").unwrap()).unwrap();
        assert_eq!(signer.verify(&entry.jws).as_ref(), Ok(&entry.claims));
        assert_eq!(entry.claims.endpoints.len(), 2);
    }
}
