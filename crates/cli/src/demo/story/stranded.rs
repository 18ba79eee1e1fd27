//! Chapter three: an ordinary day at east, and then changes that do not reach the standby.

use hubshift_hub::{Credentials, DeviceWrite, Identity, Secret};
use serde_json::{Map, Value, json};

use super::Story;
use crate::demo::backend::Edit;
use crate::demo::ledger::{Change, Expected, Via};
use crate::demo::seed::object;

/// Devices by their part in the story, out of the seeds that hold keys.
pub(super) const EVERYDAY: usize = 0;
pub(super) const STRANDED_EDIT: usize = 10;
pub(super) const STRANDED_DELETE: usize = 20;
pub(super) const PAST_US_EDIT: usize = 30;
pub(super) const CONFLICT: usize = 40;
pub(super) const DELETE_MODIFY: usize = 50;
pub(super) const WEST_EDIT: usize = 60;
pub(super) const WEST_DELETE: usize = 70;
/// How many devices play each part.
pub(super) const CAST: usize = 3;

impl Story {
    /// The id of the n-th seed that enabled, key-holding devices were made of.
    pub(super) fn cast(&self, part: usize, number: usize) -> String {
        let thermostats: Vec<&str> = self
            .seeds
            .iter()
            .filter(|d| d.status == Some(hubshift_azure::Status::Enabled))
            .filter(|d| {
                d.authentication
                    .as_ref()
                    .is_some_and(|a| a.keys().is_some())
            })
            .map(|d| d.id.as_str())
            .collect();
        thermostats[(part + number) % thermostats.len()].to_owned()
    }

    /// Creates a device through Hubshift and notes it once it is acknowledged.
    pub(super) async fn create(&mut self, id: &str, tag: Value) -> anyhow::Result<()> {
        let tags = object(json!({"site": tag}));
        let edit = Edit {
            enabled: None,
            tags: tags.clone(),
            desired: Map::new(),
        };
        self.back_end.create(id, &edit).await?;
        let hub = self.back_end.take_footing().await?.hub;
        let direct = if hub == "east" {
            &self.east
        } else {
            &self.west
        };
        let shown = direct.get(id).await?;
        let shown =
            shown.ok_or_else(|| anyhow::anyhow!("{id} was acknowledged and is not there"))?;
        self.ledger
            .note_generation(if hub == "east" { "east" } else { "west" }, &shown);
        let state = Expected {
            tags: tags.into_iter().collect(),
            ..Expected::of(&shown)
        };
        self.ledger.note(Via::Hubshift, id, Change::Create(state));
        Ok(())
    }

    /// Changes one tag through Hubshift.
    pub(super) async fn tag(&mut self, id: &str, key: &str, value: Value) -> anyhow::Result<()> {
        let tags = Map::from_iter([(key.to_owned(), value.clone())]);
        self.back_end
            .edit(
                id,
                &Edit {
                    tags,
                    ..Edit::default()
                },
            )
            .await?;
        self.ledger
            .note(Via::Hubshift, id, Change::Tag(key.into(), value));
        Ok(())
    }

    /// Changes one desired property through Hubshift.
    pub(super) async fn desire(&mut self, id: &str, key: &str, value: Value) -> anyhow::Result<()> {
        let desired = Map::from_iter([(key.to_owned(), value.clone())]);
        self.back_end
            .edit(
                id,
                &Edit {
                    desired,
                    ..Edit::default()
                },
            )
            .await?;
        self.ledger
            .note(Via::Hubshift, id, Change::Desired(key.into(), value));
        Ok(())
    }

    /// Enables or disables through Hubshift.
    pub(super) async fn enable(&mut self, id: &str, enabled: bool) -> anyhow::Result<()> {
        let edit = Edit {
            enabled: Some(enabled),
            ..Edit::default()
        };
        self.back_end.edit(id, &edit).await?;
        self.ledger
            .note(Via::Hubshift, id, Change::Enabled(enabled));
        Ok(())
    }

    /// Deletes through Hubshift.
    pub(super) async fn delete(&mut self, id: &str) -> anyhow::Result<()> {
        self.back_end.delete(id).await?;
        self.ledger.note(Via::Hubshift, id, Change::Delete);
        Ok(())
    }

    /// An ordinary day: what happens at east reaches west.
    pub(super) async fn everyday(&mut self) -> anyhow::Result<()> {
        self.world.east.keep_copy().await?;
        for number in 0..CAST {
            self.create(&format!("everyday-{number}"), json!("Ghent"))
                .await?;
            let id = self.cast(EVERYDAY, number);
            self.tag(&id, "owner", json!(format!("team-{number}")))
                .await?;
            self.desire(&id, "interval", json!(90 + number)).await?;
        }
        let gone = self.cast(EVERYDAY, CAST);
        self.delete(&gone).await?;
        self.old_footing = Some(self.back_end.take_footing().await?);
        self.write_documents_at_home().await?;
        let pass = self.operator.sync("west").await?;
        anyhow::ensure!(
            pass.pending_count == 0,
            "{} writes did not reach west",
            pass.pending_count
        );
        self.say(
            "an ordinary day: devices created, changed and deleted at east, and copied to west",
        );
        Ok(())
    }

    /// West lags; what is acknowledged at east now is only there and in the journal.
    pub(super) async fn strand(&mut self) -> anyhow::Result<()> {
        self.west_lags().await?;
        for number in 0..CAST {
            self.create(&format!("stranded-{number}"), json!("Halle"))
                .await?;
            let id = self.cast(STRANDED_EDIT, number);
            self.tag(&id, "owner", json!("night-shift")).await?;
            self.enable(&id, number != 0).await?;
        }
        let gone = self.cast(STRANDED_DELETE, 0);
        self.delete(&gone).await?;
        self.write_past_us().await?;
        self.say("changes at east that do not reach west: through Hubshift, and past it");
        Ok(())
    }

    /// What a script does to the hub without asking anybody.
    async fn write_past_us(&mut self) -> anyhow::Result<()> {
        for number in 0..CAST {
            let made = format!("portal-{number}");
            let shown = self.east.create(&made_by_script(&made)?).await?;
            self.ledger
                .note(Via::PastUs, &made, Change::Create(Expected::of(&shown)));
            let id = self.cast(PAST_US_EDIT, number);
            self.past_us_tag(&id, "ticket", json!(4700 + number))
                .await?;
            let id = self.cast(CONFLICT, number);
            self.past_us_tag(&id, "owner", json!("east-script")).await?;
            let id = self.cast(DELETE_MODIFY, number);
            self.past_us_tag(&id, "owner", json!("east-script")).await?;
        }
        Ok(())
    }

    async fn past_us_tag(&mut self, id: &str, key: &str, value: Value) -> anyhow::Result<()> {
        let tag = value.clone();
        self.east
            .edit(id, |write| {
                write.tags.insert(key.to_owned(), tag);
            })
            .await?;
        self.ledger
            .note(Via::PastUs, id, Change::Tag(key.into(), value));
        Ok(())
    }
}

fn made_by_script(id: &str) -> anyhow::Result<DeviceWrite> {
    let key = || Secret::new(crate::world::random_key());
    Ok(DeviceWrite {
        identity: Identity {
            device_id: id.to_owned(),
            enabled: true,
            status_reason: None,
            credentials: Credentials::Sas {
                primary: key(),
                secondary: key(),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
        },
        tags: object(json!({"site": "Ulm"})),
        desired: Map::new(),
    })
}
