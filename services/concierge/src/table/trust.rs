//! What is left of a table once its signatures were checked: the set of trusted keys may have
//! changed since it was saved, or while it was served.
//!
//! Kept true: every route that is served bears the signature of a key that is trusted now; under
//! another one devices would refuse it. What the database had told is signed anew, by this
//! concierge's own key and without a change: the same epoch, routing version and hubs, only later.
//! What nobody but a presented route told of is dropped: whoever held the key that was taken out
//! could have made it, and the new signature would vouch for it. A fleet that is dropped comes
//! back with the database.

use std::collections::HashMap;
use std::sync::Arc;

use hubshift_domain::route;
use time::OffsetDateTime;

use super::{FleetEntry, Snapshot};
use crate::signing::Signer;

/// The snapshot as it may be served.
pub(super) fn trusted(held: &Snapshot, signer: &Signer, now: OffsetDateTime) -> Snapshot {
    let fleets: HashMap<_, _> = held
        .fleets
        .iter()
        .filter_map(|(id, entry)| Some((id.clone(), trusted_entry(entry, signer, now)?)))
        .collect();
    // A table of which nothing is left is none.
    let is_loaded = held.is_loaded && (held.fleets.is_empty() || !fleets.is_empty());
    let revision = held.revision + u64::from(fleets != held.fleets);
    Snapshot {
        fleets,
        is_loaded,
        revision,
        moment: held.moment.clone(),
        ..*held
    }
}

fn trusted_entry(
    entry: &Arc<FleetEntry>,
    signer: &Signer,
    now: OffsetDateTime,
) -> Option<Arc<FleetEntry>> {
    let verified = signer.verify(&entry.jws);
    if verified.is_ok_and(|claims| claims == entry.claims) {
        return Some(entry.clone());
    }
    let renewed = signed_anew(entry, signer, now);
    let (fleet, epoch) = (&entry.fleet_id, entry.epoch);
    match renewed {
        Some(_) => tracing::warn!(
            %fleet, %epoch,
            "a held route is under a key that is not trusted any more; it was signed anew"
        ),
        None => tracing::error!(
            %fleet, %epoch,
            "a held route is under a key that is not trusted any more, and nothing else vouches \
             for it; the fleet waits for the database"
        ),
    }
    renewed.map(Arc::new)
}

/// The same under the present key, if the database stood behind it.
fn signed_anew(entry: &FleetEntry, signer: &Signer, now: OffsetDateTime) -> Option<FleetEntry> {
    if entry.is_forgotten {
        return None;
    }
    let claims = route::claims(&entry.route_inputs(), now).ok()?;
    if !claims.tells_the_same(&entry.claims) {
        return None;
    }
    let jws = Arc::from(signer.sign(&claims).ok()?);
    Some(FleetEntry::new(entry.facts.clone(), jws, claims))
}
