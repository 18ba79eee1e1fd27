//! What is left of a table once its signatures were checked: the set of trusted keys may have
//! changed since it was saved, or while it was served.
//!
//! Kept true: every route that is served bears the signature of a key that is trusted now; under
//! another one devices would refuse it. What the database had told this concierge is signed anew,
//! by its own key and without a change: the same epoch, routing version and hubs, only later. What
//! nobody but a presented route told of is dropped: whoever held the key that was taken out could
//! have made it, and the new signature would vouch for it. So is what lay in a file that this
//! concierge can't prove to have written: it may be of another concierge, of another installation
//! even, or of nobody. Of such a file an epoch counts only as the signed route says it. A fleet that
//! is dropped comes back with the database, or from another concierge.

use std::collections::HashMap;
use std::sync::Arc;

use hubshift_domain::route::{self, ROUTE_LIFE};
use time::{Duration, OffsetDateTime};

use super::{FleetEntry, Snapshot};
use crate::signing::Signer;

/// The snapshot as it may be served. `is_ours`: every route in it was verified here once.
pub(super) fn trusted(
    held: &Snapshot,
    is_ours: bool,
    signer: &Signer,
    now: OffsetDateTime,
) -> Snapshot {
    let signer = &signer.fixed();
    let fleets: HashMap<_, _> = held
        .fleets
        .iter()
        .filter_map(|(id, entry)| Some((id.clone(), trusted_entry(entry, is_ours, signer, now)?)))
        .collect();
    // A table of which nothing is left is none.
    let is_loaded = held.is_loaded && (held.fleets.is_empty() || !fleets.is_empty());
    // Nor does a fleet that was dropped not exist: other concierges may be asked for it.
    let is_complete = fleets.len() == held.fleets.len();
    let revision = held.revision + u64::from(fleets != held.fleets);
    Snapshot {
        fleets,
        refreshed: held.refreshed.filter(|_| is_complete),
        is_loaded,
        revision,
        moment: held.moment.clone(),
        keys: Arc::from(signer.seal().keys()),
        ..*held
    }
}

fn trusted_entry(
    entry: &Arc<FleetEntry>,
    is_ours: bool,
    signer: &Signer,
    now: OffsetDateTime,
) -> Option<Arc<FleetEntry>> {
    if !entry.is_as_its_route_says() {
        tracing::error!(
            fleet = %entry.fleet_id, epoch = %entry.epoch,
            "what is held of a fleet is not what its route says; the fleet waits for the database"
        );
        return None;
    }
    let verified = signer.verify(&entry.jws);
    if verified.is_ok_and(|claims| claims == entry.claims) {
        return Some(entry.clone());
    }
    let renewed = if is_ours {
        signed_anew(entry, signer, now)
    } else {
        None
    };
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
    let date = date(entry.claims.issued_at, now);
    let claims = route::claims(&entry.route_inputs(), date).ok()?;
    if !claims.tells_the_same(&entry.claims) {
        return None;
    }
    let jws = Arc::from(signer.sign(&claims).ok()?);
    Some(FleetEntry::new(entry.facts.clone(), jws, claims))
}

/// Later than the route before, for of two alike a device keeps the one that was signed later. A
/// date that is far ahead was a mistake, and is not followed.
fn date(before: OffsetDateTime, now: OffsetDateTime) -> OffsetDateTime {
    match before.checked_add(Duration::SECOND) {
        Some(later) if later > now && later - now < ROUTE_LIFE => later,
        _ => now,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_is_signed_anew_is_dated_later_even_by_a_clock_that_is_behind() {
        let now = OffsetDateTime::UNIX_EPOCH + Duration::DAY;
        for (before, expected) in [
            (now - Duration::HOUR, now),
            (now, now + Duration::SECOND),
            (
                now + Duration::HOUR,
                now + Duration::HOUR + Duration::SECOND,
            ),
            (now + ROUTE_LIFE, now),
        ] {
            assert_eq!(date(before, now), expected);
        }
    }
}
