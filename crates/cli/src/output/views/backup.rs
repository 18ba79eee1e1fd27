//! Backups.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::{last_segment, time_text};
use crate::output::{Block, Row, View};

/// A backup.
#[derive(Debug, Serialize)]
pub(crate) struct BackupView {
    name: String,
    hub: String,
    record_count: u64,
    digest: String,
    key_id: String,
    stores: Vec<String>,
    epoch: u64,
    create_time: Option<String>,
    verify_time: Option<String>,
}

impl From<pb::Backup> for BackupView {
    fn from(backup: pb::Backup) -> Self {
        Self {
            create_time: time_text(backup.create_time.as_ref()),
            verify_time: time_text(backup.verify_time.as_ref()),
            name: backup.name,
            hub: backup.hub,
            record_count: backup.record_count,
            digest: backup.digest,
            key_id: backup.key_id,
            stores: backup.stores,
            epoch: backup.epoch,
        }
    }
}

impl View for BackupView {
    fn human(&self) -> String {
        Block::new()
            .line("backup", last_segment(&self.name))
            .line("hub", &self.hub)
            .line("devices", self.record_count)
            .line("epoch", self.epoch)
            .line("digest", &self.digest)
            .line("key", &self.key_id)
            .line("stores", self.stores.join(", "))
            .maybe("taken", self.create_time.as_ref())
            .maybe("verified", self.verify_time.as_ref())
            .text()
    }
}

impl Row for BackupView {
    const LIST: &'static str = "backups";
    const HEADER: &'static [&'static str] = &[
        "backup", "hub", "devices", "epoch", "stores", "taken", "verified",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.hub.clone(),
            self.record_count.to_string(),
            self.epoch.to_string(),
            self.stores.join(", "),
            self.create_time.clone().unwrap_or_default(),
            self.verify_time
                .clone()
                .unwrap_or_else(|| "never".to_owned()),
        ]
    }
}

/// What was read back of a backup.
#[derive(Debug, Serialize)]
pub(crate) struct BackupCheckView {
    stores: Vec<String>,
    record_count: u64,
    digest: String,
}

impl From<pb::VerifyBackupResponse> for BackupCheckView {
    fn from(found: pb::VerifyBackupResponse) -> Self {
        let pb::VerifyBackupResponse {
            stores,
            record_count,
            digest,
        } = found;
        Self {
            stores,
            record_count,
            digest,
        }
    }
}

impl View for BackupCheckView {
    fn human(&self) -> String {
        Block::new()
            .line("stores", self.stores.join(", "))
            .line("devices", self.record_count)
            .line("digest", &self.digest)
            .text()
    }
}
