//! Device records with a sealed credential, and the sides of a merge, between wire and domain.
//!
//! What crosses to merge is the record, the credential's keyed fingerprint and its sealed bytes:
//! only registry-sync holds the key that opens them. Keeps true: a side that was read from the
//! wire is written back to the same message.

use std::fmt;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{HubId, IdError};
use hubshift_domain::identity::{Credential, Fingerprint, Record, Stamp};
use hubshift_domain::merge::{Live, Side, Tombstone, TombstoneReason};
use prost::bytes::Bytes;

use crate::enums;
use crate::json::{from_struct, to_struct};
use crate::pb::{registry, types};

/// The most bytes that a sealed credential may have.
pub const MAX_SEALED: usize = 4096;

/// Why a message is not a side of a merge.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSide {
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A fingerprint is 16 bytes.
    #[error("{0} is not a fingerprint of 16 bytes")]
    Fingerprint(&'static str),
    /// The credential's kind is not one that this version knows.
    #[error("credential_kind is not known")]
    CredentialKind,
    /// The sealed credential is longer than 4 KB.
    #[error("sealed_credential has more than 4 KB")]
    SealedTooLong,
    /// The stamp's origin is not a hub's slug.
    #[error("stamp.origin: {0}")]
    Origin(#[from] IdError),
    /// A record that is there and deleted at once.
    #[error("is_dead is set beside a record")]
    LiveAndDead,
}

/// What is known of a device at one place, with its sealed credential.
#[derive(Clone, PartialEq)]
pub struct SealedSide {
    /// What is known, without the secret.
    pub side: Side,
    /// The sealed credential; empty unless live.
    pub credential: Bytes,
    /// Fingerprint of the record as the hub shows it: a held device is disabled there. Absent
    /// unless live, and in what a merge asks for.
    pub fingerprint: Option<Fingerprint>,
}

impl fmt::Debug for SealedSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealedSide")
            .field("side", &self.side)
            .field("fingerprint", &self.fingerprint)
            .finish_non_exhaustive()
    }
}

impl SealedSide {
    /// Nothing is known.
    pub fn absent() -> Self {
        Self {
            side: Side::Absent,
            credential: Bytes::new(),
            fingerprint: None,
        }
    }

    /// It is known to be deleted.
    pub fn dead(tombstone: Tombstone) -> Self {
        Self {
            side: Side::Dead(tombstone),
            ..Self::absent()
        }
    }
}

/// To the wire.
pub fn stamp(stamp: &Stamp) -> types::Stamp {
    types::Stamp {
        epoch: stamp.epoch.0,
        sequence: stamp.sequence,
        origin: stamp.origin.to_string(),
    }
}

/// From the wire.
pub fn from_stamp(wire: &types::Stamp) -> Result<Stamp, BadSide> {
    let origin = HubId::new(wire.origin.as_str())?;
    Ok(Stamp {
        epoch: Epoch(wire.epoch),
        sequence: wire.sequence,
        origin,
    })
}

/// To the wire; `sealed` is the credential as registry-sync sealed it.
pub fn sealed_record(record: &Record, sealed: Bytes) -> registry::SealedRecord {
    registry::SealedRecord {
        enabled: record.enabled,
        status_reason: record.status_reason.clone().unwrap_or_default(),
        credential_kind: enums::credential_kind(record.credential.kind).into(),
        credential_fingerprint: Bytes::copy_from_slice(&record.credential.fingerprint.0),
        sealed_credential: sealed,
        iot_edge: record.iot_edge,
        parent: record.parent.clone().unwrap_or_default(),
        tags: Some(to_struct(&record.tags)),
        desired: Some(to_struct(&record.desired)),
        managed_by: record.managed_by.clone().unwrap_or_default(),
    }
}

/// From the wire: the record and its sealed credential. Absent tags and desired are empty.
pub fn from_sealed_record(wire: &registry::SealedRecord) -> Result<(Record, Bytes), BadSide> {
    if wire.sealed_credential.len() > MAX_SEALED {
        return Err(BadSide::SealedTooLong);
    }
    let kind = enums::from_credential_kind(wire.credential_kind());
    let record = Record {
        enabled: wire.enabled,
        status_reason: filled(&wire.status_reason),
        credential: Credential {
            kind: kind.ok_or(BadSide::CredentialKind)?,
            fingerprint: fingerprint("credential_fingerprint", &wire.credential_fingerprint)?,
        },
        iot_edge: wire.iot_edge,
        parent: filled(&wire.parent),
        managed_by: filled(&wire.managed_by),
        tags: wire.tags.as_ref().map(from_struct).unwrap_or_default(),
        desired: wire.desired.as_ref().map(from_struct).unwrap_or_default(),
    };
    Ok((record, wire.sealed_credential.clone()))
}

/// To the wire.
pub fn side_state(sealed: &SealedSide) -> registry::SideState {
    let print = sealed
        .fingerprint
        .map(|print| Bytes::copy_from_slice(&print.0));
    let fingerprint = print.unwrap_or_default();
    match &sealed.side {
        Side::Absent => registry::SideState {
            fingerprint,
            ..Default::default()
        },
        Side::Live(live) => registry::SideState {
            incarnation: live.incarnation,
            record: Some(sealed_record(&live.record, sealed.credential.clone())),
            stamp: Some(stamp(&live.stamp)),
            hold: live.hold.clone().unwrap_or_default(),
            fingerprint,
            ..Default::default()
        },
        Side::Dead(tombstone) => registry::SideState {
            incarnation: tombstone.incarnation,
            is_dead: true,
            is_revoked: tombstone.reason == TombstoneReason::Revoked,
            stamp: Some(stamp(&tombstone.stamp)),
            fingerprint,
            ..Default::default()
        },
    }
}

/// From the wire.
pub fn from_side_state(wire: &registry::SideState) -> Result<SealedSide, BadSide> {
    match (&wire.record, wire.is_dead) {
        (Some(_), true) => Err(BadSide::LiveAndDead),
        (None, false) => Ok(SealedSide::absent()),
        (None, true) => Ok(SealedSide::dead(Tombstone {
            incarnation: incarnation(wire)?,
            stamp: required_stamp(wire)?,
            reason: match wire.is_revoked {
                true => TombstoneReason::Revoked,
                false => TombstoneReason::Deleted,
            },
        })),
        (Some(record), false) => {
            let (record, credential) = from_sealed_record(record)?;
            let live = Live {
                incarnation: incarnation(wire)?,
                record,
                stamp: required_stamp(wire)?,
                hold: filled(&wire.hold),
            };
            let fingerprint = match wire.fingerprint.is_empty() {
                true => None,
                false => Some(fingerprint("fingerprint", &wire.fingerprint)?),
            };
            Ok(SealedSide {
                side: Side::Live(live),
                credential,
                fingerprint,
            })
        }
    }
}

fn incarnation(wire: &registry::SideState) -> Result<u32, BadSide> {
    match wire.incarnation {
        0 => Err(BadSide::Missing("incarnation")),
        number => Ok(number),
    }
}

fn required_stamp(wire: &registry::SideState) -> Result<Stamp, BadSide> {
    from_stamp(wire.stamp.as_ref().ok_or(BadSide::Missing("stamp"))?)
}

fn fingerprint(field: &'static str, bytes: &[u8]) -> Result<Fingerprint, BadSide> {
    Fingerprint::from_slice(bytes).ok_or(BadSide::Fingerprint(field))
}

fn filled(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use hubshift_domain::identity::CredentialKind;
    use serde_json::json;

    use super::*;

    fn live(hold: Option<&str>) -> SealedSide {
        let map = |value: serde_json::Value| value.as_object().unwrap().clone();
        let record = Record {
            enabled: true,
            status_reason: Some("lab".into()),
            credential: Credential {
                kind: CredentialKind::SelfSigned,
                fingerprint: Fingerprint([7; 16]),
            },
            iot_edge: true,
            parent: Some("gateway".into()),
            managed_by: Some("iotEdge".into()),
            tags: map(json!({"site": {"floor": 3}, "list": [1, 2.5, null]})),
            desired: map(json!({"rate": 10})),
        };
        let stamp = Stamp {
            epoch: Epoch(1025),
            sequence: 9,
            origin: HubId::new("west").unwrap(),
        };
        let side = Side::Live(Live {
            incarnation: 2,
            record,
            stamp,
            hold: hold.map(Into::into),
        });
        SealedSide {
            side,
            credential: Bytes::from_static(b"sealed"),
            fingerprint: Some(Fingerprint([9; 16])),
        }
    }

    fn dead(reason: TombstoneReason) -> SealedSide {
        let stamp = Stamp {
            epoch: Epoch(1024),
            sequence: 3,
            origin: HubId::new("east").unwrap(),
        };
        SealedSide::dead(Tombstone {
            incarnation: 1,
            stamp,
            reason,
        })
    }

    #[test]
    fn every_side_survives_the_wire() {
        let sides = [
            SealedSide::absent(),
            live(None),
            live(Some("record@2")),
            dead(TombstoneReason::Deleted),
            dead(TombstoneReason::Revoked),
        ];
        for side in sides {
            assert_eq!(from_side_state(&side_state(&side)).unwrap(), side);
        }
    }

    #[test]
    fn what_is_missing_or_contradicts_itself_is_refused() {
        let good = side_state(&live(None));
        let refused = |change: fn(&mut registry::SideState)| {
            let mut wire = good.clone();
            change(&mut wire);
            from_side_state(&wire).unwrap_err()
        };
        assert_eq!(refused(|wire| wire.is_dead = true), BadSide::LiveAndDead);
        assert_eq!(refused(|wire| wire.stamp = None), BadSide::Missing("stamp"));
        assert_eq!(
            refused(|wire| wire.incarnation = 0),
            BadSide::Missing("incarnation")
        );
        let short = |wire: &mut registry::SideState| wire.fingerprint = Bytes::from_static(b"x");
        assert_eq!(refused(short), BadSide::Fingerprint("fingerprint"));
        let unknown = |wire: &mut registry::SideState| {
            wire.record.as_mut().unwrap().credential_kind = 99;
        };
        assert_eq!(refused(unknown), BadSide::CredentialKind);
        let long = |wire: &mut registry::SideState| {
            wire.record.as_mut().unwrap().sealed_credential = vec![0; MAX_SEALED + 1].into();
        };
        assert_eq!(refused(long), BadSide::SealedTooLong);
    }

    #[test]
    fn debug_shows_no_sealed_bytes() {
        assert!(!format!("{:?}", live(None)).contains("sealed"));
    }
}
