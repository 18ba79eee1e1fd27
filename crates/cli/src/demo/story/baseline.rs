//! Chapter one: the standby learns every device, and is proven equal.

use hubshift_api::pb::types::HubState;

use super::Story;
use crate::demo::ledger::{Change, Expected, Via};

impl Story {
    /// Sync and verify; from here on the auditor holds every device to what it is now.
    pub(super) async fn baseline(&mut self) -> anyhow::Result<()> {
        self.operator.wait_for_hub("west", HubState::Ready).await?;
        let verified = self.operator.verify("east", "west").await?;
        anyhow::ensure!(
            verified.equal,
            "west is not equal: {:?}",
            verified.differing_devices
        );
        self.say(&format!(
            "west holds all of them: {} records, digest {}",
            verified.target_count,
            short(&verified.target_digest)
        ));
        for (hub, devices) in [
            ("east", self.east.all().await?),
            ("west", self.west.all().await?),
        ] {
            for device in devices.values() {
                self.ledger.note_generation(hub, device);
                if hub == "east" {
                    let state = Expected::of(device);
                    let id = &device.identity.device_id;
                    self.ledger.note(Via::Hubshift, id, Change::Create(state));
                }
            }
        }
        self.fleet.wait_attached("east").await?;
        self.say(&format!(
            "{} devices send telemetry to east",
            self.fleet.attached_count("east")
        ));
        Ok(())
    }
}

/// The first digits of a digest.
pub(super) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
