//! The connector's operations, each with what it needs and what it wants.

use hubshift_hub::{
    AzureHub, BulkHub as _, Credentials, DeviceWrite, EtagPair, Hub as _, HubDevice, Outcome,
};
use serde_json::json;

use crate::common::{object, rewrite, sas, write};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    List,
    Statistics,
    Jobs,
    GetDevice,
    GetModule,
    GetConfiguration,
    CreateDevice,
    CreateChild,
    CreateModule,
    CreateConfiguration,
    UpdateIdentity,
    UpdateTwin,
    UpdateBoth,
    UpdateModule,
    UpdateConfiguration,
    DeleteDevice,
    DeleteModule,
    DeleteConfiguration,
}

/// What was there before, and what is to be there after.
pub(crate) struct Prepared {
    pub(crate) key: String,
    pub(crate) before: Option<HubDevice>,
    /// Nothing where it is to be gone.
    pub(crate) wanted: Option<DeviceWrite>,
    /// The twin's version after one write of each part; nothing where no version is kept.
    pub(crate) most_twin_version: Option<i64>,
}

impl Prepared {
    /// Whether it is as wanted.
    pub(crate) fn is_done(&self, now: Option<&HubDevice>) -> bool {
        match (&self.wanted, now) {
            (None, None) => true,
            (Some(wanted), Some(now)) => rewrite(now) == *wanted,
            _ => false,
        }
    }

    fn etags(&self) -> EtagPair {
        self.before.as_ref().map(etags).unwrap_or_default()
    }
}

fn etags(device: &HubDevice) -> EtagPair {
    EtagPair {
        identity: Some(device.identity_etag.clone()),
        twin: Some(device.twin_etag.clone()),
    }
}

/// The version of a twin that was made and then written once.
const MADE_AND_WRITTEN: i64 = 3;

impl Operation {
    pub(crate) const ALL: [Self; 18] = [
        Self::List,
        Self::Statistics,
        Self::Jobs,
        Self::GetDevice,
        Self::GetModule,
        Self::GetConfiguration,
        Self::CreateDevice,
        Self::CreateChild,
        Self::CreateModule,
        Self::CreateConfiguration,
        Self::UpdateIdentity,
        Self::UpdateTwin,
        Self::UpdateBoth,
        Self::UpdateModule,
        Self::UpdateConfiguration,
        Self::DeleteDevice,
        Self::DeleteModule,
        Self::DeleteConfiguration,
    ];

    /// Makes what must be there, without faults.
    pub(crate) async fn prepare(self, hub: &AzureHub) -> Prepared {
        let mut gate = write("gate", sas('G'));
        gate.identity.iot_edge = true;
        make(hub, &gate).await;
        let wanted = self.new_record();
        if self.creates() {
            let key = wanted.identity.device_id.clone();
            let is_configuration = key.starts_with('/');
            return Prepared {
                key,
                before: None,
                wanted: Some(wanted),
                most_twin_version: (!is_configuration).then_some(MADE_AND_WRITTEN),
            };
        }
        if wanted.identity.device_id.starts_with("d/") {
            make(hub, &write("d", sas('B'))).await;
        }
        let before = make(hub, &wanted).await;
        let key = wanted.identity.device_id;
        let wanted = match self {
            Self::DeleteDevice | Self::DeleteModule | Self::DeleteConfiguration => None,
            _ => Some(self.changed(&before)),
        };
        let moves = match self {
            Self::UpdateTwin | Self::UpdateBoth | Self::UpdateModule => 1,
            _ => 0,
        };
        let is_configuration = key.starts_with('/');
        Prepared {
            most_twin_version: (!is_configuration).then_some(before.twin_version + moves),
            key,
            before: Some(before),
            wanted,
        }
    }

    fn creates(self) -> bool {
        matches!(
            self,
            Self::CreateDevice | Self::CreateChild | Self::CreateModule | Self::CreateConfiguration
        )
    }

    fn new_record(self) -> DeviceWrite {
        match self {
            Self::CreateModule => write("gate/m", sas('M')),
            Self::GetModule | Self::UpdateModule | Self::DeleteModule => write("d/m", sas('M')),
            Self::CreateChild => {
                let mut child = write("child", sas('C'));
                child.identity.parent = Some("gate".to_owned());
                child
            }
            Self::GetConfiguration
            | Self::CreateConfiguration
            | Self::UpdateConfiguration
            | Self::DeleteConfiguration => configuration(3, "a"),
            _ => write("d", sas('B')),
        }
    }

    fn changed(self, before: &HubDevice) -> DeviceWrite {
        let mut next = rewrite(before);
        if matches!(self, Self::UpdateIdentity | Self::UpdateBoth) {
            next.identity.enabled = false;
            next.identity.status_reason = Some("stolen".to_owned());
            next.identity.credentials = sas('N');
        }
        if matches!(self, Self::UpdateTwin | Self::UpdateBoth) {
            next.tags = object(json!({"room": "9"}));
        }
        match self {
            Self::UpdateModule => {
                next.identity.credentials = sas('N');
                next.desired = object(json!({"rate": 9}));
                next
            }
            Self::UpdateConfiguration => configuration(7, "a"),
            _ => next,
        }
    }

    /// The call.
    pub(crate) async fn run(self, hub: &AzureHub, prepared: &Prepared) -> Outcome<()> {
        match self {
            Self::List => hub.list(None, 100).await.map(drop),
            Self::Statistics => hub.statistics().await.map(drop),
            Self::Jobs => hub.jobs().await.map(drop),
            _ => self.write(hub, prepared, prepared.etags()).await,
        }
    }

    /// The call once more, under what was just seen.
    pub(crate) async fn repeat(
        self,
        hub: &AzureHub,
        prepared: &Prepared,
        now: Option<&HubDevice>,
    ) -> Outcome<()> {
        match (&prepared.wanted, now) {
            (Some(wanted), None) => hub.create(wanted).await.map(drop),
            (Some(wanted), Some(now)) => hub.update(wanted, &needed(wanted, now)).await.map(drop),
            (None, Some(now)) => hub.delete(&prepared.key, &now.identity_etag).await,
            (None, None) => Outcome::Done(()),
        }
    }

    async fn write(self, hub: &AzureHub, prepared: &Prepared, etags: EtagPair) -> Outcome<()> {
        let key = prepared.key.as_str();
        match (self, &prepared.wanted) {
            (Self::GetDevice | Self::GetModule | Self::GetConfiguration, _) => {
                hub.get(key).await.map(drop)
            }
            (_, None) => hub.delete(key, &etags.identity.unwrap_or_default()).await,
            (_, Some(wanted)) if self.creates() => hub.create(wanted).await.map(drop),
            (Self::UpdateIdentity, Some(wanted)) => {
                let etags = EtagPair {
                    twin: None,
                    ..etags
                };
                hub.update(wanted, &etags).await.map(drop)
            }
            (Self::UpdateTwin, Some(wanted)) => {
                let etags = EtagPair {
                    identity: None,
                    ..etags
                };
                hub.update(wanted, &etags).await.map(drop)
            }
            (_, Some(wanted)) => hub.update(wanted, &etags).await.map(drop),
        }
    }
}

/// The parts that differ, under their current etags: what is as wanted is not written again.
fn needed(wanted: &DeviceWrite, now: &HubDevice) -> EtagPair {
    let identity = wanted.identity != now.identity;
    let twin = (&wanted.tags, &wanted.desired) != (&now.tags, &now.desired);
    let all = etags(now);
    EtagPair {
        identity: all.identity.filter(|_| identity),
        twin: all.twin.filter(|_| twin),
    }
}

async fn make(hub: &AzureHub, device: &DeviceWrite) -> HubDevice {
    hub.create(device).await.into_result().unwrap()
}

fn configuration(priority: i64, team: &str) -> DeviceWrite {
    let mut record = write("/configurations/c", Credentials::None);
    record.tags = object(json!({"labels": {"team": team}, "priority": priority,
        "targetCondition": "tags.room='4'"}));
    record.desired = object(json!({
        "content": {"deviceContent": {"properties.desired.fan": 1}},
        "metrics": {"queries": {}}, "schemaVersion": "1.0"}));
    record
}
