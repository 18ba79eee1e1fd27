//! A device's identity as Hubshift sees it: one canonical record, equal or not by its fingerprint.
//!
//! What a hub keeps for itself (etags, generation ids, times, reported properties) is not in it.
//! Secrets are not in it either: a credential is a kind, a keyed fingerprint, and sealed bytes
//! that only registry-sync can open.

mod canonical;
mod fingerprint;
mod record;

pub use canonical::{CANON_VERSION, canonical_json};
pub use fingerprint::{Fingerprint, FingerprintKey};
pub use record::{Credential, CredentialKind, Incarnation, Record, Stamp};
