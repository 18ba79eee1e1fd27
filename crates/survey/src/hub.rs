//! Reading one hub from end to end, by its listings alone.

use hubshift_hub::{AzureHub, Hub as _, HubError, Outcome, Rejection};
use serde::Serialize;
use serde_json::Value;

use crate::seen::{Seen, Side};

const DEVICES: &str = "select * from devices";
const MODULES: &str = "select * from devices.modules";

/// Why a survey has no result. No text has a key in it.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The hub refused or did not answer.
    #[error("{what}: {source}")]
    Hub {
        /// What was asked for.
        what: &'static str,
        /// Why not.
        source: HubError,
    },
    /// The hub lists something that cannot be read.
    #[error("the hub lists something that is neither a device nor a module")]
    Unreadable,
}

/// What a policy was seen to allow, without trying to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Permission {
    /// `registry_read`, `service_connect`.
    pub name: &'static str,
    /// Whether the hub allowed it.
    pub allowed: bool,
}

/// What is known of a hub beside its devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HubFacts {
    /// Devices, as the hub counts them; the count may lag.
    pub devices: u64,
    /// Those that may not connect.
    pub disabled: u64,
    /// Modules, as listed.
    pub modules: u64,
    /// Configurations and deployments, by their names.
    pub configurations: Vec<String>,
    /// Import and export jobs in the hub's memory.
    pub jobs: u64,
    /// An import or export job that runs now: it holds the hub's only slot.
    pub running_job: bool,
    /// What the policy allows.
    pub permissions: Vec<Permission>,
}

/// A hub as it was read.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// What is known beside the devices.
    pub facts: HubFacts,
    /// The devices and modules.
    pub side: Side,
}

/// Reads a hub: statistics, jobs, configurations, all devices and modules. `progress` hears how
/// many were read.
///
/// # Errors
/// The hub cannot be reached, or does not allow even to count and to list its devices.
pub async fn look(hub: &AzureHub, progress: impl Fn(usize)) -> Result<Reading, SurveyError> {
    let mut reading = Reading::default();
    let facts = &mut reading.facts;
    let counts = hub.statistics().await.into_result();
    let counts = counts.map_err(|source| error("counting devices", source))?;
    (facts.devices, facts.disabled) = (counts.total, counts.disabled);
    facts.permissions.push(Permission {
        name: "registry_read",
        allowed: true,
    });
    let jobs = optional(hub.job_rows().await, "listing jobs")?.unwrap_or_default();
    facts.running_job = jobs.iter().any(is_running);
    facts.jobs = jobs.len() as u64;
    let rows = optional(hub.configuration_rows().await, "listing configurations")?;
    facts.configurations = rows.unwrap_or_default().iter().filter_map(name).collect();
    for query in [DEVICES, MODULES] {
        list(hub, query, &mut reading.side, &progress).await?;
    }
    let modules = reading.side.keys().filter(|key| key.contains('/')).count();
    reading.facts.modules = modules as u64;
    reading.facts.permissions.push(Permission {
        name: "service_connect",
        allowed: true,
    });
    Ok(reading)
}

async fn list(
    hub: &AzureHub,
    query: &str,
    side: &mut Side,
    progress: &impl Fn(usize),
) -> Result<(), SurveyError> {
    let mut cursor = None;
    loop {
        let page = hub.rows(query, cursor.as_deref()).await.into_result();
        let page = page.map_err(|source| error("listing devices", source))?;
        for row in page.rows {
            let (key, seen) = Seen::read(row)?;
            side.insert(key, seen);
        }
        progress(side.len());
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(()),
        }
    }
}

/// What the policy, or the tier, does not allow is not known, and no reason to stop.
fn optional<T>(outcome: Outcome<T>, what: &'static str) -> Result<Option<T>, SurveyError> {
    match outcome.into_result() {
        Ok(found) => Ok(Some(found)),
        Err(HubError::Rejected(Rejection::Unauthorized(_) | Rejection::Invalid(_))) => Ok(None),
        Err(source) => Err(error(what, source)),
    }
}

fn error(what: &'static str, source: HubError) -> SurveyError {
    SurveyError::Hub { what, source }
}

fn is_running(job: &Value) -> bool {
    let status = job.get("status").and_then(Value::as_str);
    matches!(
        status,
        Some("enqueued" | "queued" | "scheduled" | "running")
    )
}

fn name(configuration: &Value) -> Option<String> {
    configuration.get("id")?.as_str().map(str::to_owned)
}
