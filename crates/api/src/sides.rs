//! What a merge compares and asks for, between wire and domain.
//!
//! The domain's sides hold a credential's fingerprint only. The sealed bytes travel beside them,
//! by fingerprint, so that a merged record gets the right ones whichever side it came from.

use std::collections::BTreeMap;
use std::fmt;

use hubshift_domain::id::{IdError, RecordKey};
use hubshift_domain::identity::{CredentialKind, Fingerprint};
use hubshift_domain::merge::{Side, Triple};
use prost::bytes::Bytes;

use crate::pb::registry;
use crate::records::{BadSide, SealedSide, from_side_state};

/// Why a message is not a device of a comparison, or a side can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTriple {
    /// The key is not legal.
    #[error("device: {0}")]
    Device(#[from] IdError),
    /// One of its sides can't be read.
    #[error("device {device}, {side}: {error}")]
    Side {
        /// Which device.
        device: String,
        /// `base`, `primary` or `secondary`.
        side: &'static str,
        /// What is wrong with it.
        error: BadSide,
    },
    /// The sealed bytes of a credential are not known.
    #[error("the sealed credential {0} is not known")]
    NoCredential(Fingerprint),
}

/// Sealed credentials by their fingerprint. `Debug` shows fingerprints only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials(BTreeMap<Fingerprint, Bytes>);

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(Fingerprint, Bytes)> for Credentials {
    fn from_iter<I: IntoIterator<Item = (Fingerprint, Bytes)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Credentials {
    /// All of them, by fingerprint.
    pub fn iter(&self) -> impl Iterator<Item = (&Fingerprint, &Bytes)> {
        self.0.iter()
    }

    /// Keeps a side's sealed credential.
    pub fn keep(&mut self, sealed: &SealedSide) {
        let Some(live) = sealed.side.live() else {
            return;
        };
        if !sealed.credential.is_empty() {
            self.0.insert(
                live.record.credential.fingerprint,
                sealed.credential.clone(),
            );
        }
    }

    /// The side as it is sent: with its sealed credential, without a fingerprint of its own.
    ///
    /// # Errors
    /// [`BadTriple::NoCredential`] for keys or thumbprints whose sealed bytes were never seen.
    pub fn attach(&self, side: &Side) -> Result<SealedSide, BadTriple> {
        let Some(live) = side.live() else {
            return Ok(SealedSide {
                side: side.clone(),
                ..SealedSide::absent()
            });
        };
        let credential = &live.record.credential;
        let sealed = self.0.get(&credential.fingerprint).cloned();
        let needs_bytes = matches!(
            credential.kind,
            CredentialKind::Sas | CredentialKind::SelfSigned
        );
        if sealed.is_none() && needs_bytes {
            return Err(BadTriple::NoCredential(credential.fingerprint));
        }
        Ok(SealedSide {
            side: side.clone(),
            credential: sealed.unwrap_or_default(),
            fingerprint: None,
        })
    }
}

/// One device of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct SealedTriple {
    /// Which device, module or configuration.
    pub device: RecordKey,
    /// What is known of it, without secrets.
    pub triple: Triple,
    /// The sealed credentials of all sides.
    pub credentials: Credentials,
    /// Fingerprint of what the recovered hub shows; absent for nothing.
    pub primary_before: Option<Fingerprint>,
    /// Fingerprint of what the active hub shows; absent for nothing.
    pub secondary_before: Option<Fingerprint>,
    /// Whether it is a module that can be neither read nor written at one of the hubs.
    pub is_out_of_reach: bool,
}

/// From the wire. An absent side is one of which nothing is known.
///
/// # Errors
/// The message does not describe a device of a comparison.
pub fn from_divergence(
    wire: &registry::StreamDivergenceResponse,
) -> Result<SealedTriple, BadTriple> {
    let device = RecordKey::new(wire.device.as_str())?;
    let read = |side: &'static str, state: &Option<registry::SideState>| {
        let read = state.as_ref().map(from_side_state).transpose();
        let read = read.map_err(|error| {
            let device = wire.device.clone();
            BadTriple::Side {
                device,
                side,
                error,
            }
        });
        Ok::<_, BadTriple>(read?.unwrap_or_else(SealedSide::absent))
    };
    let base = read("base", &wire.base)?;
    let primary = read("primary", &wire.primary)?;
    let secondary = read("secondary", &wire.secondary)?;
    let mut credentials = Credentials::default();
    for sealed in [&base, &primary, &secondary] {
        credentials.keep(sealed);
    }
    Ok(SealedTriple {
        device,
        triple: Triple {
            base: base.side,
            primary: primary.side,
            secondary: secondary.side,
        },
        credentials,
        primary_before: primary.fingerprint,
        secondary_before: secondary.fingerprint,
        is_out_of_reach: wire.out_of_reach,
    })
}

#[cfg(test)]
mod tests {
    use hubshift_domain::epoch::Epoch;
    use hubshift_domain::id::HubId;
    use hubshift_domain::identity::{Credential, Record, Stamp};
    use hubshift_domain::merge::Live;
    use serde_json::Map;

    use super::*;
    use crate::records::side_state;

    fn live(print: u8, sealed: &'static [u8]) -> SealedSide {
        let credential = Credential {
            kind: CredentialKind::Sas,
            fingerprint: Fingerprint([print; 16]),
        };
        let record = Record {
            enabled: true,
            status_reason: None,
            credential,
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::new(),
            desired: Map::new(),
        };
        let stamp = Stamp {
            epoch: Epoch(1025),
            sequence: 1,
            origin: HubId::new("east").unwrap(),
        };
        SealedSide {
            side: Side::Live(Live {
                incarnation: 1,
                record,
                stamp,
                hold: None,
            }),
            credential: Bytes::from_static(sealed),
            fingerprint: Some(Fingerprint([print + 100; 16])),
        }
    }

    #[test]
    fn whichever_side_wins_brings_its_own_sealed_credential() {
        let wire = registry::StreamDivergenceResponse {
            device: "d-1".into(),
            base: None,
            primary: Some(side_state(&live(1, b"east's"))),
            secondary: Some(side_state(&live(2, b"west's"))),
            out_of_reach: false,
        };
        let read = from_divergence(&wire).unwrap();
        assert_eq!(read.triple.base, Side::Absent);
        assert_eq!(read.primary_before, Some(Fingerprint([101; 16])));
        let sent = |side: &Side| read.credentials.attach(side).unwrap().credential;
        assert_eq!(sent(&read.triple.primary), "east's");
        assert_eq!(sent(&read.triple.secondary), "west's");
        assert!(sent(&Side::Absent).is_empty());
        let unknown = live(9, b"").side;
        let refused = read.credentials.attach(&unknown).unwrap_err();
        assert_eq!(refused, BadTriple::NoCredential(Fingerprint([9; 16])));
    }

    #[test]
    fn modules_and_configurations_are_compared_like_devices() {
        for key in ["d-1/m", "/configurations/site-7"] {
            let wire = registry::StreamDivergenceResponse {
                device: key.into(),
                ..Default::default()
            };
            assert_eq!(from_divergence(&wire).unwrap().device.as_str(), key);
        }
    }

    #[test]
    fn debug_shows_no_sealed_bytes_and_a_bad_side_is_named() {
        let mut credentials = Credentials::default();
        credentials.keep(&live(1, b"canary"));
        assert!(!format!("{credentials:?}").contains("canary"));
        let wire = registry::StreamDivergenceResponse {
            device: "d-1".into(),
            primary: Some(registry::SideState {
                is_dead: true,
                ..Default::default()
            }),
            ..Default::default()
        };
        let refused = from_divergence(&wire).unwrap_err().to_string();
        assert!(refused.contains("d-1, primary"), "{refused}");
    }
}
