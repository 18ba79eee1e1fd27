//! Records of devices as tests compare them: live, tagged, dead, absent; and what a hub shows of one.

use hubshift_api::records::SealedSide;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::{
    Credential, CredentialKind, Fingerprint, FingerprintKey, Record, Stamp,
};
use hubshift_domain::merge::{Live, Side, Tombstone, TombstoneReason};
use serde_json::{Map, Value};

/// What no answer of the merge service may ever hold.
pub(crate) const CANARY: &str = "sealed-canary-4711";

/// A live record; `make` changes it. Equal credential numbers are equal credentials.
pub(crate) fn live(hub: &str, credential: u8, make: impl FnOnce(&mut Live)) -> SealedSide {
    let record = Record {
        enabled: true,
        status_reason: None,
        credential: Credential {
            kind: CredentialKind::Sas,
            fingerprint: Fingerprint([credential; 16]),
        },
        iot_edge: false,
        parent: None,
        managed_by: None,
        tags: Map::new(),
        desired: Map::new(),
    };
    let epoch = if hub == "east" {
        Epoch(1024)
    } else {
        Epoch(2049)
    };
    let stamp = Stamp {
        epoch,
        sequence: 1,
        origin: HubId::new(hub).unwrap(),
    };
    let mut live = Live {
        incarnation: 1,
        record,
        stamp,
        hold: None,
    };
    make(&mut live);
    SealedSide {
        side: Side::Live(live),
        credential: format!("{CANARY}-{credential}").into(),
        fingerprint: None,
    }
}

/// A live record with one tag.
pub(crate) fn tagged(hub: &str, name: &str, value: impl Into<Value>) -> SealedSide {
    let value = value.into();
    live(hub, 1, |live| {
        live.record.tags.insert(name.to_owned(), value);
    })
}

/// Deleted at a hub.
pub(crate) fn dead(hub: &str) -> SealedSide {
    let epoch = if hub == "east" {
        Epoch(1024)
    } else {
        Epoch(2049)
    };
    let stamp = Stamp {
        epoch,
        sequence: 2,
        origin: HubId::new(hub).unwrap(),
    };
    SealedSide::dead(Tombstone {
        incarnation: 1,
        stamp,
        reason: TombstoneReason::Deleted,
    })
}

pub(crate) fn absent() -> SealedSide {
    SealedSide::absent()
}

/// What a hub shows of a side.
pub(crate) fn print(device: &str, sealed: &SealedSide) -> Option<Fingerprint> {
    let live = sealed.side.live()?;
    let record = Record {
        enabled: live.is_effectively_enabled(),
        ..live.record.clone()
    };
    Some(record.fingerprint(&FingerprintKey::new([5; 32]), device))
}

pub(crate) fn shown(device: &str, sealed: &SealedSide) -> SealedSide {
    SealedSide {
        fingerprint: print(device, sealed),
        ..sealed.clone()
    }
}

pub(crate) fn bytes(print: Option<Fingerprint>) -> Vec<u8> {
    print.map(|print| print.0.to_vec()).unwrap_or_default()
}
