//! One fleet as a record of the table file.
//!
//! Kept true: what was written reads back equal. A newer binary only ever appends to a part: what
//! an older one doesn't know stands behind what it does, and is passed over. What the route says is
//! not written: it is read from the route itself.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId, IdError};
use hubshift_domain::route::{OnUnreachable, RouteClaims};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::super::{DebtEntry, FleetEntry, FleetFacts, HubEntry};
use super::bytes::{Malformed, Reader, Writer};

/// Writes a fleet.
pub(super) fn write(entry: &FleetEntry, out: &mut Writer) {
    let facts = &entry.facts;
    out.text(&entry.jws);
    out.text(facts.fleet_id.as_str());
    out.text(&facts.display_name);
    out.text(facts.home_hub.as_str());
    out.text(facts.active_hub.as_str());
    out.number(facts.epoch.0);
    out.number(facts.routing_version);
    out.text(facts.registry_mode.as_str());
    out.number(facts.hubs.len() as u64);
    for hub in &facts.hubs {
        out.nested(|out| write_hub(hub, out));
    }
    out.number(facts.device_count);
    out.number(u64::from(facts.utilisation_percent));
    out.span(facts.poll_after);
    out.text(&facts.on_unreachable.to_string());
    out.number(facts.debts.len() as u64);
    for debt in &facts.debts {
        out.nested(|out| write_debt(debt, out));
    }
    out.time(facts.epoch_opened);
    out.time(facts.create_time);
    out.time(facts.update_time);
    out.number(facts.revision);
    out.number(facts.authority_revision);
    out.number(u64::from(facts.is_forgotten));
    out.text(&as_json(&facts.waves, facts.waves.is_empty()));
    out.text(&as_json(&facts.canary, facts.canary.is_none()));
}

/// Reads a fleet.
pub(super) fn read(from: &mut Reader<'_>) -> Result<FleetEntry, Malformed> {
    let jws = from.text()?;
    let facts = read_facts(from)?;
    let claims = RouteClaims::from_unverified(jws).map_err(|_| Malformed("route"))?;
    Ok(FleetEntry::new(facts, jws.into(), claims))
}

fn read_facts(from: &mut Reader<'_>) -> Result<FleetFacts, Malformed> {
    Ok(FleetFacts {
        fleet_id: slug(from, FleetId::new)?,
        display_name: from.text()?.to_owned(),
        home_hub: slug(from, HubId::new)?,
        active_hub: slug(from, HubId::new)?,
        epoch: Epoch(from.number()?),
        routing_version: from.number()?,
        // A name that is newer than this binary is read as the careful choice, as from the database.
        registry_mode: RegistryMode::parse(from.text()?).unwrap_or(RegistryMode::Settling),
        hubs: list(from, read_hub)?,
        device_count: from.number()?,
        utilisation_percent: from.small()?,
        poll_after: from.span()?,
        on_unreachable: OnUnreachable::from(from.text()?.to_owned()),
        debts: list(from, read_debt)?,
        epoch_opened: from.time()?,
        create_time: from.time()?,
        update_time: from.time()?,
        revision: from.number()?,
        authority_revision: from.number()?,
        is_forgotten: from.number()? != 0,
        waves: from_json(from)?,
        canary: from_json(from)?,
    })
}

/// What few fleets have: as it stands in claims and in the database, and nothing where it is empty.
fn as_json(value: &impl Serialize, is_empty: bool) -> String {
    if is_empty {
        return String::new();
    }
    // Lists and texts always have a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

fn from_json<T: DeserializeOwned + Default>(from: &mut Reader<'_>) -> Result<T, Malformed> {
    match from.text()? {
        "" => Ok(T::default()),
        json => serde_json::from_str(json).map_err(|_| Malformed("JSON")),
    }
}

fn write_hub(hub: &HubEntry, out: &mut Writer) {
    out.text(hub.hub_id.as_str());
    out.number(u64::from(hub.index));
    out.text(hub.state.as_str());
    out.text(&hub.region);
    out.text(&hub.host);
    out.text(&hub.service_host);
    out.text(&hub.event_endpoint);
    out.number(hub.labels.len() as u64);
    for (name, value) in &hub.labels {
        out.text(name);
        out.text(value);
    }
    out.number(u64::from(hub.admission_per_second));
    out.span(hub.call_deadline);
    out.span(hub.read_lag);
}

fn read_hub(from: &mut Reader<'_>) -> Result<HubEntry, Malformed> {
    Ok(HubEntry {
        hub_id: slug(from, HubId::new)?,
        index: from.small()?,
        state: HubState::parse(from.text()?).unwrap_or(HubState::Quarantined),
        region: from.text()?.to_owned(),
        host: from.text()?.to_owned(),
        service_host: from.text()?.to_owned(),
        event_endpoint: from.text()?.to_owned(),
        labels: (0..from.number()?)
            .map(|_| Ok((from.text()?.to_owned(), from.text()?.to_owned())))
            .collect::<Result<_, Malformed>>()?,
        admission_per_second: from.small()?,
        call_deadline: from.span()?,
        read_lag: from.span()?,
    })
}

fn write_debt(debt: &DebtEntry, out: &mut Writer) {
    out.text(&debt.kind);
    out.text(debt.hub.as_str());
    out.raw(debt.failover.as_bytes());
    out.number(debt.epoch.0);
    out.time(debt.create_time);
}

fn read_debt(from: &mut Reader<'_>) -> Result<DebtEntry, Malformed> {
    Ok(DebtEntry {
        kind: from.text()?.to_owned(),
        hub: slug(from, HubId::new)?,
        failover: Uuid::from_slice(from.raw(16)?).map_err(|_| Malformed("uuid"))?,
        epoch: Epoch(from.number()?),
        create_time: from.time()?,
    })
}

fn list<T>(
    from: &mut Reader<'_>,
    read: impl Fn(&mut Reader<'_>) -> Result<T, Malformed>,
) -> Result<Vec<T>, Malformed> {
    let count = from.number()?;
    (0..count).map(|_| read(&mut from.nested()?)).collect()
}

fn slug<T>(
    from: &mut Reader<'_>,
    new: impl FnOnce(String) -> Result<T, IdError>,
) -> Result<T, Malformed> {
    new(from.text()?.to_owned()).map_err(|_| Malformed("slug"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hubshift_domain::id::WaveId;
    use hubshift_domain::route::{Cohort, Members, WavePlan};
    use time::OffsetDateTime;

    use super::super::super::{CanaryEntry, fixture};
    use super::*;

    fn canary(later: OffsetDateTime) -> CanaryEntry {
        CanaryEntry {
            id: "c-1".into(),
            hub: HubId::new("west").unwrap(),
            epoch: Epoch(2049),
            cohort: Cohort::Percent(2),
            start_time: later,
            until_time: later,
        }
    }

    fn odd() -> FleetEntry {
        let mut entry = fixture::entry("acme", 2049, 7);
        let later = OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_123_456_789).unwrap();
        entry.facts.display_name = "Wärme & Strom".into();
        entry.facts.registry_mode = RegistryMode::Frozen;
        entry.facts.on_unreachable = "standby_after(900s)".parse().unwrap();
        entry.facts.poll_after = Duration::from_millis(200);
        (entry.facts.update_time, entry.facts.is_forgotten) = (later, true);
        entry.facts.hubs[1].state = HubState::Rewound;
        entry.facts.canary = Some(canary(later));
        entry.facts.waves = vec![WavePlan {
            name: WaveId::new("pumps").unwrap(),
            members: Members::Prefixes(vec!["pump-".into()]),
            device_count: 9,
        }];
        entry.facts.debts.push(DebtEntry {
            kind: "merge_required".into(),
            hub: HubId::new("east").unwrap(),
            failover: Uuid::from_u128(7),
            epoch: Epoch(2049),
            create_time: later,
        });
        entry
    }

    fn bytes(entry: &FleetEntry) -> Vec<u8> {
        let mut out = Writer::default();
        write(entry, &mut out);
        out.into_bytes()
    }

    #[test]
    fn a_fleet_reads_back_equal() {
        for entry in [odd(), fixture::entry("other", 1024, 1)] {
            let bytes = bytes(&entry);
            let mut from = Reader::new(&bytes);
            assert_eq!(read(&mut from), Ok(entry));
            assert!(from.is_empty());
        }
    }

    #[test]
    fn a_record_that_is_cut_is_refused_and_one_that_goes_on_is_read() {
        let mut bytes = bytes(&odd());
        for length in 0..bytes.len() {
            assert!(
                read(&mut Reader::new(&bytes[..length])).is_err(),
                "{length}"
            );
        }
        bytes.extend_from_slice(b"what a newer binary appends");
        assert_eq!(read(&mut Reader::new(&bytes)), Ok(odd()));
    }

    #[test]
    fn names_that_are_newer_than_this_binary_are_read_as_the_careful_choice() {
        let mut out = Writer::default();
        out.text("east");
        out.number(0);
        out.text("hibernating");
        (0..4).for_each(|_| out.text(""));
        (0..6).for_each(|_| out.number(0));
        let bytes = out.into_bytes();
        let hub = read_hub(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(hub.state, HubState::Quarantined);
    }
}
