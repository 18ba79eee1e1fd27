//! One fleet as this concierge serves it, and its hubs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::route::{
    CanaryInputs, Cohort, OnUnreachable, RouteClaims, RouteHub, RouteInputs, WavePlan,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::encoded::{Encoded, Lazy};

/// The alert of a fleet whose database knows a lower epoch than somebody has shown.
pub(crate) const EPOCH_FORGOTTEN: &str = "EPOCH_FORGOTTEN";

/// One fleet, with the route that its devices get. Reads like its facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FleetEntry {
    /// The fleet as the authority had it.
    pub(crate) facts: FleetFacts,
    /// The signed route, as devices get it.
    pub(crate) jws: Arc<str>,
    /// What it says.
    pub(crate) claims: RouteClaims,
    /// The rest, as answers have it.
    #[serde(skip)]
    encoded: Lazy,
}

impl std::ops::Deref for FleetEntry {
    type Target = FleetFacts;

    fn deref(&self) -> &FleetFacts {
        &self.facts
    }
}

/// One fleet as the authority had it, in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FleetFacts {
    /// The fleet.
    pub(crate) fleet_id: FleetId,
    /// Text for people.
    pub(crate) display_name: String,
    /// The hub that it comes home to.
    pub(crate) home_hub: HubId,
    /// The authority.
    pub(crate) active_hub: HubId,
    /// The authority's reign.
    pub(crate) epoch: Epoch,
    /// Rises with every change of what devices are told.
    pub(crate) routing_version: u64,
    /// Whether identities may be changed.
    pub(crate) registry_mode: RegistryMode,
    /// All hubs, by index.
    pub(crate) hubs: Vec<HubEntry>,
    /// How many devices move.
    pub(crate) device_count: u64,
    /// How much of the target's admission rate they may use, percent.
    pub(crate) utilisation_percent: u8,
    /// How often devices ask.
    pub(crate) poll_after: Duration,
    /// What devices do when nobody answers.
    pub(crate) on_unreachable: OnUnreachable,
    /// Who goes first, in order. A table of an older version has none.
    #[serde(default)]
    pub(crate) waves: Vec<WavePlan>,
    /// The canary that runs.
    #[serde(default)]
    pub(crate) canary: Option<CanaryEntry>,
    /// What must be paid before the fleet goes home.
    pub(crate) debts: Vec<DebtEntry>,
    /// When the epoch began.
    pub(crate) epoch_opened: OffsetDateTime,
    /// When the fleet was created.
    pub(crate) create_time: OffsetDateTime,
    /// When it last changed.
    pub(crate) update_time: OffsetDateTime,
    /// Of its row in `concierge`.
    pub(crate) revision: u64,
    /// Of its row in `authority`.
    pub(crate) authority_revision: u64,
    /// Whether the database knows a lower epoch than this or than a replica has served.
    pub(crate) is_forgotten: bool,
}

/// One hub of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HubEntry {
    /// Its slug.
    pub(crate) hub_id: HubId,
    /// Its number within epochs.
    pub(crate) index: u16,
    /// What it is to its fleet.
    pub(crate) state: HubState,
    /// Region slug.
    pub(crate) region: String,
    /// What devices connect to.
    pub(crate) host: String,
    /// What back ends call; empty: the same.
    pub(crate) service_host: String,
    /// Where back ends read events; empty: not known.
    pub(crate) event_endpoint: String,
    /// The operator's labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// New device connections that it admits, per second.
    pub(crate) admission_per_second: u32,
    /// The hard deadline of a call to it.
    pub(crate) call_deadline: Duration,
    /// How stale its listings may be.
    pub(crate) read_lag: Duration,
}

/// A part of a fleet that is attached to a standby for a limited time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CanaryEntry {
    /// Its id, as devices know it.
    pub(crate) id: String,
    /// The standby.
    pub(crate) hub: HubId,
    /// The epoch that it began in.
    pub(crate) epoch: Epoch,
    /// Who takes part.
    pub(crate) cohort: Cohort,
    /// When it began.
    pub(crate) start_time: OffsetDateTime,
    /// When it ends by itself.
    pub(crate) until_time: OffsetDateTime,
}

impl CanaryEntry {
    /// As the fleet's route is made of it.
    pub(crate) fn for_route(&self) -> CanaryInputs<'_> {
        CanaryInputs {
            id: &self.id,
            hub: &self.hub,
            epoch: self.epoch,
            cohort: &self.cohort,
            started_at: self.start_time,
            until: self.until_time,
        }
    }
}

/// Something that must be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DebtEntry {
    /// As stored: `merge_required`, `fence_required`.
    pub(crate) kind: String,
    /// The hub that it concerns.
    pub(crate) hub: HubId,
    /// The failover that left it.
    pub(crate) failover: uuid::Uuid,
    /// The epoch that it was opened in.
    pub(crate) epoch: Epoch,
    /// When.
    pub(crate) create_time: OffsetDateTime,
}

impl FleetFacts {
    /// What makes one entry newer than another.
    pub(crate) fn order(&self) -> (Epoch, u64) {
        (self.epoch, self.routing_version)
    }

    /// The index of the hub with this slug.
    pub(crate) fn hub_index(&self, slug: &str) -> Option<u16> {
        self.hubs
            .iter()
            .find(|hub| hub.hub_id.as_str() == slug)
            .map(|hub| hub.index)
    }

    /// Rises with every change; the same at every replica.
    pub(crate) fn change(&self) -> u64 {
        self.revision + self.authority_revision
    }

    /// The fleet's etag, as `GetFleet` has it.
    pub(crate) fn etag(&self) -> String {
        format!("{}-{}", self.authority_revision, self.revision)
    }

    /// What needs an operator's eye.
    pub(crate) fn alerts(&self) -> Vec<String> {
        if self.is_forgotten {
            vec![EPOCH_FORGOTTEN.to_owned()]
        } else {
            Vec::new()
        }
    }

    /// What the fleet's route is made of.
    pub(crate) fn route_inputs(&self) -> RouteInputs<'_> {
        RouteInputs {
            fleet: &self.fleet_id,
            epoch: self.epoch,
            routing_version: self.routing_version,
            active_hub: &self.active_hub,
            hubs: self.hubs.iter().map(HubEntry::for_route).collect(),
            device_count: self.device_count,
            utilisation_percent: self.utilisation_percent,
            on_unreachable: self.on_unreachable,
            epoch_opened: self.epoch_opened,
            waves: &self.waves,
            canary: self.canary.as_ref().map(CanaryEntry::for_route),
        }
    }

    /// One hub is active. The one that was before missed the change, as far as is known here.
    fn activate(&mut self, active: &HubId) {
        for hub in &mut self.hubs {
            if hub.hub_id == *active {
                hub.state = HubState::Active;
            } else if hub.state == HubState::Active {
                hub.state = HubState::Quarantined;
            }
        }
        self.active_hub = active.clone();
    }
}

impl FleetEntry {
    /// A fleet with its signed route, and what that says.
    pub(crate) fn new(facts: FleetFacts, jws: Arc<str>, claims: RouteClaims) -> Self {
        Self {
            facts,
            jws,
            claims,
            encoded: Lazy::default(),
        }
    }

    /// What is the same in the answers to all of the fleet's devices, as bytes: made once.
    pub(crate) fn encoded(&self) -> &Encoded {
        self.encoded.get(self)
    }

    /// When to ask again, milliseconds, as the wire has it.
    pub(crate) fn poll_after_ms(&self) -> u32 {
        millis(self.poll_after)
    }

    /// Whether it has the fleet, epoch and routing version of its route.
    pub(super) fn is_as_its_route_says(&self) -> bool {
        self.claims.fleet == self.fleet_id && self.claims.order() == self.order()
    }

    /// When the route was signed.
    pub(crate) fn issue_time(&self) -> OffsetDateTime {
        self.claims.issued_at
    }

    /// The same fleet under a newer route, which a device presented: the database does not know it. What the route does not say stays as it was.
    pub(crate) fn under(&self, claims: RouteClaims, jws: &str) -> Self {
        let mut facts = self.facts.clone();
        (facts.epoch, facts.routing_version) = claims.order();
        facts.epoch_opened = claims.admission.started_at;
        facts.on_unreachable = claims.on_unreachable;
        facts.is_forgotten |= claims.epoch > self.epoch;
        facts.canary = facts.canary.filter(|_| claims.epoch == self.epoch);
        if let Some(active) = claims.active() {
            facts.activate(&active.hub);
        }
        Self::new(facts, Arc::from(jws), claims)
    }
}

/// Whole milliseconds, as the wire has them.
pub(super) fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

impl HubEntry {
    fn for_route(&self) -> RouteHub<'_> {
        RouteHub {
            hub: &self.hub_id,
            index: self.index,
            state: self.state,
            host: &self.host,
            region: &self.region,
            admission_per_second: self.admission_per_second,
        }
    }
}
