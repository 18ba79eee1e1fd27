//! What every task tells about itself, the same for all kinds: its stored state has it under
//! `report`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What a task counted so far, and what it came to.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Report {
    /// Devices looked at.
    #[serde(default)]
    pub(crate) scanned: u64,
    /// Devices written.
    #[serde(default)]
    pub(crate) written: u64,
    /// Calls made to hubs.
    #[serde(default)]
    pub(crate) calls: u64,
    /// Set when it is over and went well.
    #[serde(default)]
    pub(crate) result: Option<TaskResult>,
}

/// What a task came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TaskResult {
    /// Of a pass, a drain or a replay.
    Pass(PassResult),
    /// Of a scan.
    Scan(ScanResult),
    /// Of a verification.
    Verify(VerifyResult),
    /// Of a backup or its restore.
    Backup(BackupResult),
    /// Of the plan of an adoption, or of its application.
    Adoption(AdoptionResult),
}

/// What a pass did.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct PassResult {
    pub(crate) scanned: u64,
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) deleted: u64,
    pub(crate) equal: u64,
    pub(crate) pending: u64,
    pub(crate) watermark: Option<OffsetDateTime>,
    pub(crate) late_landings: u64,
    /// Of a replay: writes that the hub does not take, however often they are tried.
    #[serde(default)]
    pub(crate) refused: u64,
    /// What differs and cannot carry over.
    #[serde(default)]
    pub(crate) left_out_count: u64,
    /// Some of it, each with why.
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
}

/// What a scan found.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct ScanResult {
    pub(crate) snapshot: String,
    pub(crate) scanned: u64,
    #[serde(default)]
    pub(crate) devices: u64,
    pub(crate) rewound: bool,
    pub(crate) evidence: String,
    /// Hexadecimal.
    pub(crate) digest: String,
}

/// What a verification found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct VerifyResult {
    pub(crate) equal: bool,
    pub(crate) source_count: u64,
    pub(crate) target_count: u64,
    /// Hexadecimal.
    pub(crate) source_digest: String,
    /// Hexadecimal.
    pub(crate) target_digest: String,
    /// At most 100.
    pub(crate) differing: Vec<String>,
    pub(crate) differing_count: u64,
    pub(crate) read_time: OffsetDateTime,
    /// What differs and cannot carry over: it is not counted as differing.
    #[serde(default)]
    pub(crate) left_out_count: u64,
    /// Some of it, each with why.
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
}

/// What a backup holds.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct BackupResult {
    /// `fleets/{fleet}/backups/{backup}`.
    pub(crate) backup: String,
    pub(crate) record_count: u64,
    /// Hexadecimal.
    pub(crate) digest: String,
    pub(crate) stores: Vec<String>,
}

/// What became of the extras of an adoption.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AdoptionResult {
    /// `fleets/{fleet}/hubs/{hub}/adoptions/{adoption}`.
    pub(crate) plan: String,
    pub(crate) extras: u64,
    pub(crate) kept: u64,
    pub(crate) quarantined: u64,
    pub(crate) deleted: u64,
    pub(crate) stale: u64,
    pub(crate) rejected: u64,
}

/// A count that PostgreSQL gave.
pub(crate) fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
