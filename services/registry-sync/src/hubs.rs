//! The hubs that this process talks to, connected as `registry.connection` says.
//!
//! Durable: when a hub last answered and why it did not, noted by every call. A connection is
//! made anew when its row's revision, the hub's deadlines or what the fleet carries changed; secrets are read by
//! reference at that moment and kept in memory only. Kept true: every call to a hub is within its
//! budget; a hub that is shut out by a hard fence, or may be, is not talked to.

mod management;
mod watched;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hubshift_api::fault;
use hubshift_azure::{ConnectionStringError, HubConnection};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::StepError;
use hubshift_hub::budget::{Budget, LocalBudget};
use hubshift_hub::{AzureHub, AzureSettings, Hub, HubSetupError, Kinds, Secret};
use hubshift_store::StoreError;
use secrecy::ExposeSecret as _;
use sqlx::PgPool;
use tokio::sync::Mutex;
use tonic::{Code, Status};

use crate::budget::{self, Lane, SharedBudget};
use crate::secret::{NotARef, SecretError, SecretRef};
use crate::store;
use crate::store::connection::{Allowance, ConnectionRow};
pub(crate) use management::{Management, PlaneError};
use watched::{Watch, Watched};

/// The only kind of hub so far.
pub(crate) const AZURE: &str = "azure";

/// Why a hub can't be talked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HubsError {
    /// The concierge has no such hub in the fleet.
    #[error("the fleet has no such hub; create it at the concierge first")]
    NoHub,
    /// Nobody said how to reach it.
    #[error("the hub has no connection; make one with UpdateConnection")]
    NoConnection,
    /// It is of a kind that this binary does not know.
    #[error("adapter `{0}` is not known; use `azure`")]
    Adapter(String),
    /// A reference is none. Its text may be the secret itself and is not repeated.
    #[error("{0} is not a reference to a secret: use file:PATH or env:NAME")]
    Ref(&'static str),
    /// The secret or the certificates can't be read.
    #[error("{0} cannot be read")]
    Secret(&'static str, #[source] SecretError),
    /// The secret is no connection string.
    #[error("the secret is not a connection string: {0}")]
    ConnectionString(ConnectionStringError),
    /// The secret is another hub's.
    #[error("the connection string is of {found}, and the hub is at {expected}")]
    Host {
        /// The host that the secret names.
        found: String,
        /// The host that it must name.
        expected: String,
    },
    /// The secret of the management plane is no connection string of one.
    #[error("the secret of management_ref is not a connection string: {0}")]
    ManagementString(ConnectionStringError),
    /// No connector can be made.
    #[error("the connection cannot be set up: {0}")]
    Setup(HubSetupError),
    /// Nobody said how to manage it.
    #[error("the hub's connection has no management_ref, so that the hub can't be shut out")]
    NoManagement,
    /// It is shut out, or may be.
    #[error(
        "hub {0} is shut out by a hard fence; `hubshift hub unfence {0}` opens it, then \
         `hubshift hub connect {0}` takes its new connection string"
    )]
    Fenced(String),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl HubsError {
    fn reason(&self) -> &'static str {
        match self {
            Self::NoHub => "HUB_NOT_FOUND",
            Self::NoConnection => "CONNECTION_NOT_FOUND",
            Self::Adapter(_) => "ADAPTER_UNKNOWN",
            Self::Host { .. } => "HUB_HOST_MISMATCH",
            Self::Ref(..)
            | Self::Secret(..)
            | Self::ConnectionString(_)
            | Self::ManagementString(_)
            | Self::Setup(_) => "SECRET_UNREADABLE",
            Self::NoManagement => "FENCE_UNAVAILABLE",
            Self::Fenced(_) => "HUB_FENCED",
            Self::Store(_) => "DATABASE_UNAVAILABLE",
        }
    }

    /// For a person: what is wrong and, one level down, why.
    fn text(&self) -> String {
        match self {
            Self::Secret(_, source) => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

impl From<HubsError> for StepError {
    fn from(error: HubsError) -> Self {
        match error {
            HubsError::Store(store) => store.into(),
            other => Self::rejected(other.reason(), other.text()),
        }
    }
}

impl From<HubsError> for Status {
    fn from(error: HubsError) -> Self {
        let code = match &error {
            HubsError::NoHub | HubsError::NoConnection => Code::NotFound,
            HubsError::Adapter(_)
            | HubsError::Ref(..)
            | HubsError::Secret(..)
            | HubsError::ConnectionString(_)
            | HubsError::ManagementString(_)
            | HubsError::Host { .. }
            | HubsError::Setup(_)
            | HubsError::NoManagement
            | HubsError::Fenced(_) => Code::FailedPrecondition,
            HubsError::Store(_) => Code::Unavailable,
        };
        match error {
            HubsError::Store(store) => store.into(),
            other => fault::status(code, other.reason(), other.text()),
        }
    }
}

/// How long a hub's calls may take, and how old its listing may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Timing {
    call_deadline: Duration,
    read_lag: Duration,
}

struct Connected {
    revision: i64,
    timing: Timing,
    kinds: Kinds,
    hub: Lanes,
}

/// A hub as each lane calls it: by the same connections, within the same budget.
struct Lanes {
    person: Arc<dyn Hub>,
    task: Arc<dyn Hub>,
    routine: Arc<dyn Hub>,
}

impl Lanes {
    fn new(azure: &AzureHub, budget: &SharedBudget, watch: Watch) -> Self {
        let watch = Arc::new(watch);
        let called = |lane| -> Arc<dyn Hub> {
            let azure = azure.with_budget(Arc::new(budget.in_lane(lane)));
            Arc::new(Watched::new(azure, watch.clone()))
        };
        Self {
            person: called(Lane::Person),
            task: called(Lane::Task),
            routine: called(Lane::Routine),
        }
    }

    fn of(&self, lane: Lane) -> Arc<dyn Hub> {
        let hub = match lane {
            Lane::Person => &self.person,
            Lane::Task => &self.task,
            Lane::Routine => &self.routine,
        };
        hub.clone()
    }
}

/// A connection that is not stored yet.
#[derive(Debug, Clone)]
pub(crate) struct Proposal {
    pub(crate) adapter: String,
    pub(crate) secret_ref: String,
    pub(crate) ca_ref: String,
    pub(crate) allowance: Allowance,
    pub(crate) job_container_ref: String,
    pub(crate) management_ref: String,
    pub(crate) without_modules: bool,
    pub(crate) without_configurations: bool,
}

/// The connected hubs of this process.
pub(crate) struct Hubs {
    pool: PgPool,
    /// How much faster than ours the clock runs that the hubs' quotas are counted by.
    budget_speed: f64,
    connected: Mutex<HashMap<(FleetId, HubId), Connected>>,
}

impl fmt::Debug for Hubs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hubs").finish_non_exhaustive()
    }
}

impl Hubs {
    /// Nothing is connected yet.
    pub(crate) fn new(pool: PgPool, budget_speed: f64) -> Self {
        Self {
            pool,
            budget_speed,
            connected: Mutex::default(),
        }
    }

    /// A hub, connected as its row says now, to be called by a lane.
    pub(crate) async fn get(
        &self,
        fleet: &FleetId,
        hub: &HubId,
        lane: Lane,
    ) -> Result<Arc<dyn Hub>, HubsError> {
        let timing = self.timing(fleet, hub).await?;
        let row = store::connection::get(&self.pool, fleet.as_str(), hub.as_str()).await?;
        let row = row.ok_or(HubsError::NoConnection)?;
        if row.is_fenced() {
            return Err(HubsError::Fenced(row.hub_id));
        }
        let kinds = store::kinds::carried(&self.pool, fleet.as_str()).await?;
        let mut connected = self.connected.lock().await;
        let key = (fleet.clone(), hub.clone());
        if let Some(found) = connected.get(&key)
            && (found.revision, found.timing, found.kinds) == (row.revision, timing, kinds)
        {
            return Ok(found.hub.of(lane));
        }
        let settings = budget::settings(&row.allowance(), self.budget_speed)?;
        let budget = SharedBudget::new(self.pool.clone(), fleet.clone(), hub.clone(), settings);
        let any = Arc::new(budget.clone());
        let (azure, host) = open(&row.adapter, &row.secret_ref, &row.ca_ref, timing, any)?;
        check_host(host, row.host)?;
        let watch = Watch::new(self.pool.clone(), fleet.clone(), hub.clone());
        let hub = Lanes::new(&azure.with_kinds(kinds), &budget, watch);
        let found = hub.of(lane);
        let revision = row.revision;
        connected.insert(
            key,
            Connected {
                revision,
                timing,
                kinds,
                hub,
            },
        );
        Ok(found)
    }

    /// A hub by a connection that is not stored yet, and the host that it names: the one that the
    /// fleet has for it, or the one that it is connected to already.
    pub(crate) async fn try_out(
        &self,
        fleet: &FleetId,
        hub: &HubId,
        new: &Proposal,
    ) -> Result<(AzureHub, String), HubsError> {
        let timing = self.timing(fleet, hub).await?;
        if !new.job_container_ref.is_empty() {
            // It is only needed for a job; that it can be read is better known now.
            drop(read("job_container_ref", &new.job_container_ref)?);
        }
        let settings = budget::settings(&new.allowance, self.budget_speed)?;
        let budget = Arc::new(LocalBudget::new(&settings));
        let (azure, host) = open(&new.adapter, &new.secret_ref, &new.ca_ref, timing, budget)?;
        let (fleet, hub) = (fleet.as_str(), hub.as_str());
        let connected = store::connection::get(&self.pool, fleet, hub).await?;
        if connected.is_some_and(|row| row.host == host) {
            return Ok((azure, host));
        }
        let expected = store::authority::service_host(&self.pool, fleet, hub).await?;
        check_host(host.clone(), expected.ok_or(HubsError::NoHub)?)?;
        Ok((azure, host))
    }

    /// A connection's row.
    pub(crate) async fn row(
        &self,
        fleet: &FleetId,
        hub: &HubId,
    ) -> Result<ConnectionRow, HubsError> {
        let row = store::connection::get(&self.pool, fleet.as_str(), hub.as_str()).await?;
        row.ok_or(HubsError::NoConnection)
    }

    /// Whether what authorises a call to a hub stays good after its deadline, as the hub was
    /// connected last.
    pub(crate) async fn authority_outlives_call(&self, fleet: &FleetId, hub: &HubId) -> bool {
        let connected = self.connected.lock().await;
        let found = connected.get(&(fleet.clone(), hub.clone()));
        found.is_some_and(|found| found.hub.task.capabilities().authority_outlives_call)
    }

    async fn timing(&self, fleet: &FleetId, hub: &HubId) -> Result<Timing, HubsError> {
        let hubs = store::authority::hubs(&self.pool, fleet.as_str()).await?;
        let row = hubs.into_iter().find(|row| row.hub_id == hub.as_str());
        let row = row.ok_or(HubsError::NoHub)?;
        let millis = |value: i64| Duration::from_millis(u64::try_from(value).unwrap_or(0));
        Ok(Timing {
            call_deadline: call_share(millis(row.call_deadline_ms)),
            read_lag: millis(row.read_lag_ms),
        })
    }
}

/// The part of an intent's deadline that the call itself may take. The rest, half as long, is for
/// recording the intent, so that the call ends before the intent does; and what was given up is
/// out of all buffers in the same time, see [`Hub::call_deadline`].
pub(crate) fn call_share(deadline: Duration) -> Duration {
    deadline * 2 / 3
}

fn check_host(found: String, expected: String) -> Result<(), HubsError> {
    if is_same_host(&found, &expected) {
        return Ok(());
    }
    Err(HubsError::Host { found, expected })
}

/// Names know no case, and 443 is the port that is meant.
fn is_same_host(one: &str, other: &str) -> bool {
    let bare = |host: &str| {
        host.strip_suffix(":443")
            .unwrap_or(host)
            .to_ascii_lowercase()
    };
    bare(one) == bare(other)
}

fn open(
    adapter: &str,
    secret_ref: &str,
    ca_ref: &str,
    timing: Timing,
    budget: Arc<dyn Budget>,
) -> Result<(AzureHub, String), HubsError> {
    if adapter != AZURE {
        return Err(HubsError::Adapter(adapter.to_owned()));
    }
    let secret = read("secret_ref", secret_ref)?;
    let connection: HubConnection = secret
        .expose_secret()
        .parse()
        .map_err(HubsError::ConnectionString)?;
    let mut settings = AzureSettings::of(&connection);
    if !ca_ref.is_empty() {
        settings.ca_pem = Some(read("ca_ref", ca_ref)?.expose_secret().to_owned());
    }
    settings.call_deadline = timing.call_deadline;
    settings.read_lag = timing.read_lag;
    settings.budget = budget;
    let hub = AzureHub::new(settings).map_err(HubsError::Setup)?;
    Ok((hub, connection.host().to_owned()))
}

/// The URI of the container that a hub's jobs read and write, by its reference. It opens the
/// container.
pub(crate) fn job_container(reference: &str) -> Result<Secret, HubsError> {
    read("job_container_ref", reference).map(Secret::from)
}

fn read(field: &'static str, text: &str) -> Result<secrecy::SecretString, HubsError> {
    let reference: SecretRef = text.parse().map_err(|_: NotARef| HubsError::Ref(field))?;
    reference
        .read()
        .map_err(|error| HubsError::Secret(field, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_the_same_in_any_case_and_with_the_usual_port() {
        let azure = "acme-east.azure-devices.net";
        assert!(is_same_host(azure, "Acme-East.azure-devices.net:443"));
        assert!(!is_same_host(azure, "acme-west.azure-devices.net"));
        assert!(!is_same_host("hub-east:8443", "hub-east"));
        assert!(!is_same_host("127.0.0.1:4431", "127.0.0.1:4432"));
    }
}
