//! The hard fence: a hub that is to take no calls any more is closed through Azure's management
//! plane, with a login of its own.
//!
//! ```text
//! read hub and policies ─▶ order: access off, keys anew ─▶ look until both are seen
//!      (nothing happened)         (unknown from here on)
//! ```
//!
//! Durable: nothing here; the hub itself is what changes. The plane is an ordinary one of Azure,
//! api-version 2023-06-30, and no real one was asked while this was written.
//!
//! Keeps true: a fence is reported as done only when the plane shows the access off and the keys
//! that we made; all of a hub's other settings are written back as they were read, under the
//! etag that they had; no key is in a log, an error or a `Debug` output.

mod arm;
mod resource;
mod settings;

use std::fmt;
use std::time::Duration;

use hubshift_azure::NoRandomness;

pub use resource::{HubResource, PolicyKeys};
pub use settings::ManagementSettings;

use crate::outcome::{Cause, HubError, Outcome, Rejection};
use crate::setup::HubSetupError;
use arm::{Plane, Run};

/// One hub, as the management plane lets it be changed. `Debug` shows no secret.
pub struct AzureManagement {
    plane: Plane,
}

/// What a fence did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fenced {
    /// The hub afterwards.
    pub resource: HubResource,
    /// The policies that have new keys. Nobody knows these keys until somebody asks the plane.
    pub policies: Vec<String>,
}

/// What the end of a fence gives back. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfenced {
    /// The hub afterwards.
    pub resource: HubResource,
    /// Its policies with their keys: those of connection strings have to be replaced.
    pub policies: Vec<PolicyKeys>,
}

impl AzureManagement {
    /// Prepares a way to the management plane. Connects to nothing yet.
    pub fn new(settings: ManagementSettings) -> Result<Self, HubSetupError> {
        let plane = Plane::new(settings)?;
        Ok(Self { plane })
    }

    /// The hub as it is described now.
    pub async fn state(&self) -> Outcome<HubResource> {
        let described = self.plane.begin().describe().await;
        described.map(|described| described.resource).into()
    }

    /// Takes the hub from the internet and gives every policy new keys.
    ///
    /// After that no call that was on its way can land, whatever authorised it: not with the old
    /// keys, and not with a token of Entra ID. Devices are cut off too. It may be repeated; each
    /// time the keys are new ones.
    pub async fn fence(&self) -> Outcome<Fenced> {
        self.try_fence().await.into()
    }

    /// Lets the hub be reached again. Its keys stay the ones that the fence made.
    ///
    /// Devices that know the hub can connect to it from then on: nothing in front of it holds
    /// them back any more.
    pub async fn unfence(&self) -> Outcome<Unfenced> {
        self.try_unfence().await.into()
    }

    async fn try_fence(&self) -> Result<Fenced, HubError> {
        let run = self.plane.begin();
        let described = run.describe().await.map_err(unchanged)?;
        let policies = run.keys().await.map_err(unchanged)?;
        let fresh = policies
            .iter()
            .map(PolicyKeys::renewed)
            .collect::<Result<Vec<_>, NoRandomness>>()
            .map_err(|error| Rejection::Invalid(error.to_string()))?;
        let resource = change(&run, described, false, &fresh).await?;
        Ok(Fenced {
            resource,
            policies: fresh.into_iter().map(|policy| policy.key_name).collect(),
        })
    }

    async fn try_unfence(&self) -> Result<Unfenced, HubError> {
        let run = self.plane.begin();
        let described = run.describe().await.map_err(unchanged)?;
        let policies = run.keys().await.map_err(unchanged)?;
        let is_open = described.resource.public_network_access;
        if is_open && described.resource.is_settled() == Ok(true) {
            let resource = described.resource;
            return Ok(Unfenced { resource, policies });
        }
        let resource = change(&run, described, true, &policies).await?;
        Ok(Unfenced { resource, policies })
    }
}

impl fmt::Debug for AzureManagement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureManagement")
            .field("resource_id", &self.plane.resource_id())
            .finish_non_exhaustive()
    }
}

/// Orders a change and waits until the plane shows it.
async fn change(
    run: &Run<'_>,
    described: resource::Described,
    access: bool,
    policies: &[PolicyKeys],
) -> Result<HubResource, HubError> {
    let etag = described.etag.clone();
    let pause = run.order(&described.with(access, policies), &etag).await?;
    confirm(run, access, policies, pause)
        .await
        .map_err(|error| Cause::Partial(format!("ordered, but not seen: {error}")).into())
}

async fn confirm(
    run: &Run<'_>,
    access: bool,
    policies: &[PolicyKeys],
    first_pause: Duration,
) -> Result<HubResource, HubError> {
    let mut pause = Some(first_pause);
    loop {
        run.wait(pause.take()).await?;
        let resource = run.describe().await?.resource;
        if resource.is_settled()?
            && resource.public_network_access == access
            && have_all(&run.keys().await?, policies)
        {
            return Ok(resource);
        }
    }
}

/// Whether every policy has the keys that it should have.
fn have_all(found: &[PolicyKeys], wanted: &[PolicyKeys]) -> bool {
    wanted.iter().all(|wanted| {
        found.iter().any(|found| {
            found.key_name == wanted.key_name
                && found.primary_key == wanted.primary_key
                && found.secondary_key == wanted.secondary_key
        })
    })
}

/// A read that failed before anything was ordered: the hub is as it was.
fn unchanged(error: HubError) -> HubError {
    match error {
        HubError::Unknown(cause) => Rejection::Unavailable(cause.to_string()).into(),
        rejected => rejected,
    }
}
