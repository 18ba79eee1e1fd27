use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::RegistryMode;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use time::OffsetDateTime;

use super::*;
use crate::app::adoption::{Facts, Side};
use crate::authority::HubView;

fn hub(name: &str) -> HubId {
    HubId::new(name).unwrap()
}

fn view(epoch: u64, west: HubState) -> FleetView {
    let now = OffsetDateTime::UNIX_EPOCH;
    FleetView {
        fleet: FleetId::new("acme").unwrap(),
        epoch: Epoch(epoch),
        active_hub: hub("east"),
        registry_mode: RegistryMode::Open,
        frozen_until: None,
        update_time: now,
        is_forgotten: false,
        now,
        hubs: vec![HubView {
            hub_id: hub("west"),
            index: 1,
            state: west,
            last_active_epoch: Epoch::default(),
            call_deadline: Duration::ZERO,
            read_lag: Duration::ZERO,
        }],
    }
}

fn side(name: &str) -> Side {
    Side {
        hub: hub(name),
        snapshot: Uuid::nil(),
        records: 0,
        digest: String::new(),
        tier: String::new(),
        units: 1,
    }
}

fn plan(epoch: u64) -> AdoptionRow {
    AdoptionRow {
        id: Uuid::nil(),
        hub: hub("west"),
        epoch: Epoch(epoch),
        facts: Facts {
            source: side("east"),
            target: side("west"),
            equal: 0,
            missing: 0,
            different: 0,
            gone: 0,
            estimate: String::new(),
            unknowns: Vec::new(),
            authorities: 0,
            edges: 0,
        },
        extra_count: 1,
        extra_digest: Fingerprint::default(),
        action: None,
        apply_task: None,
        create_time: OffsetDateTime::UNIX_EPOCH,
        expire_time: OffsetDateTime::UNIX_EPOCH,
        apply_time: None,
        is_expired: false,
    }
}

#[test]
fn a_plan_is_applied_in_its_epoch_and_time_at_a_standby_and_once() {
    let ready = view(1024, HubState::Ready);
    assert_eq!(refusal(&plan(1024), &ready), Ok(()));
    assert_eq!(refusal(&plan(1024), &view(1024, HubState::Syncing)), Ok(()));
    let reason = |row: &AdoptionRow, view: &FleetView| {
        use hubshift_api::fault::ApiError as _;
        refusal(row, view).unwrap_err().reason()
    };
    assert_eq!(reason(&plan(1025), &ready), "ADOPTION_EXPIRED");
    let late = AdoptionRow {
        is_expired: true,
        ..plan(1024)
    };
    assert_eq!(reason(&late, &ready), "ADOPTION_EXPIRED");
    let applied = AdoptionRow {
        apply_time: Some(OffsetDateTime::UNIX_EPOCH),
        ..late
    };
    assert_eq!(reason(&applied, &ready), "ADOPTION_APPLIED");
    for state in HubState::ALL {
        if !matches!(state, HubState::Syncing | HubState::Ready) {
            let refused = reason(&plan(1024), &view(1024, *state));
            assert_eq!(refused, "HUB_NOT_STANDBY", "{state}");
        }
    }
}
