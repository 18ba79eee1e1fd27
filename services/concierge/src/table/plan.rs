//! From what the database says to what is served, and to what must be signed first. Pure.
//!
//! Kept true: only a route with a trusted signature, of the fleet's own epoch and routing version,
//! is served; what devices are told never changes without a higher routing version.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use hubshift_domain::id::FleetId;
use hubshift_domain::route::{self, RouteClaims};
use time::OffsetDateTime;

use super::{FleetEntry, FleetFacts, Snapshot};
use crate::signing::Signer;

/// What one transaction read.
#[derive(Debug)]
pub(crate) struct Read {
    /// The database's clock.
    pub(crate) now: OffsetDateTime,
    /// Every fleet.
    pub(crate) fleets: Vec<FleetFacts>,
    /// Signed routes of the current epochs and routing versions, newest first.
    pub(crate) routes: HashMap<FleetId, Vec<String>>,
}

/// Something to do in the database; then it is read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Sign these claims and store the route.
    Sign(Box<RouteClaims>),
    /// Raise a fleet's routing version, if it still is `from`.
    Raise {
        /// The fleet.
        fleet: FleetId,
        /// What it was.
        from: u64,
        /// What it becomes.
        to: u64,
    },
}

/// What to serve and what to do.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Fleets with a route.
    pub(super) entries: Vec<FleetEntry>,
    /// Fleets that the database knows but that have no new route to serve: the held one stays.
    pub(super) kept: HashSet<FleetId>,
    /// What to do, the most urgent first: time may not be enough for all of it.
    pub(super) actions: Vec<Action>,
    /// Signatures that are half over. They can wait.
    renewals: Vec<Action>,
}

/// Plans one refresh.
pub(super) fn plan(read: Read, held: &Snapshot, signer: &Signer) -> Plan {
    let signer = &signer.fixed();
    let is_verified = *held.keys == *signer.seal().keys();
    let mut plan = Plan::default();
    for facts in read.fleets {
        let held = held.fleets.get(&facts.fleet_id);
        // The database forgot a reign: what is held stays, and says so by being absent here.
        if held.is_some_and(|held| held.epoch > facts.epoch) {
            continue;
        }
        let stored = read
            .routes
            .get(&facts.fleet_id)
            .map_or(&[][..], Vec::as_slice);
        let route = newest(&facts, stored, held.filter(|_| is_verified), signer);
        plan.add(facts, route, held, read.now);
    }
    plan.actions.append(&mut plan.renewals);
    plan
}

impl Plan {
    fn add(
        &mut self,
        facts: FleetFacts,
        route: Option<(Arc<str>, RouteClaims)>,
        held: Option<&Arc<FleetEntry>>,
        now: OffsetDateTime,
    ) {
        let version = facts.routing_version;
        if let Some(held) = held.filter(|held| held.order() > facts.order()) {
            return self.raise(facts.fleet_id, version, held.routing_version + 1);
        }
        let wanted = match route::claims(&facts.route_inputs(), now) {
            Ok(claims) => claims,
            Err(error) => {
                tracing::error!(fleet = %facts.fleet_id, %error, "no route can be signed");
                self.kept.insert(facts.fleet_id);
                return;
            }
        };
        let Some((jws, claims)) = route else {
            self.kept.insert(facts.fleet_id);
            return self.actions.push(Action::Sign(Box::new(wanted)));
        };
        if !claims.tells_the_same(&wanted) {
            let (fleet, from) = (facts.fleet_id.clone(), version);
            self.actions.push(Action::Raise {
                fleet,
                from,
                to: from + 1,
            });
        } else if claims.is_due(now) {
            self.renewals.push(Action::Sign(Box::new(wanted)));
        }
        self.entries.push(FleetEntry::new(facts, jws, claims));
    }

    fn raise(&mut self, fleet: FleetId, from: u64, to: u64) {
        self.kept.insert(fleet.clone());
        self.actions.push(Action::Raise { fleet, from, to });
    }
}

/// The newest stored route of the fleet's epoch and routing version whose signature is trusted.
/// `known` was verified under the keys that are trusted now: the same bytes are not verified again,
/// which would take half a second of every second for ten thousand fleets.
fn newest(
    facts: &FleetFacts,
    stored: &[String],
    known: Option<&Arc<FleetEntry>>,
    signer: &Signer,
) -> Option<(Arc<str>, RouteClaims)> {
    stored.iter().find_map(|token| {
        let (jws, claims) = match known.filter(|held| *held.jws == **token) {
            Some(held) => (held.jws.clone(), held.claims.clone()),
            None => (Arc::from(token.as_str()), verified(facts, token, signer)?),
        };
        let fits = claims.fleet == facts.fleet_id && claims.order() == facts.order();
        fits.then_some((jws, claims))
    })
}

fn verified(facts: &FleetFacts, token: &str, signer: &Signer) -> Option<RouteClaims> {
    signer
        .verify(token)
        .inspect_err(|error| {
            tracing::debug!(fleet = %facts.fleet_id, %error, "a stored route is passed over");
        })
        .ok()
}

#[cfg(test)]
mod tests;
