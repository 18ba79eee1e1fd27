//! Durable pieces of work at registry-sync, and what they found.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::adoption::AdoptionResultView;
use super::{FailureView, last_segment, task_state, time_text, yes};
use crate::output::{Block, Row, View};

/// A task.
#[derive(Debug, Serialize)]
pub(crate) struct TaskView {
    name: String,
    kind: String,
    state: String,
    step: String,
    done: bool,
    failure: Option<FailureView>,
    progress: Option<ProgressView>,
    #[serde(flatten)]
    result: ResultView,
    create_time: Option<String>,
    update_time: Option<String>,
}

/// What was counted so far.
#[derive(Debug, Serialize)]
struct ProgressView {
    scanned_count: u64,
    written_count: u64,
    call_count: u64,
}

/// The result: at most one of these is set.
#[derive(Debug, Default, Serialize)]
struct ResultView {
    pass: Option<PassView>,
    scan: Option<ScanView>,
    verify: Option<VerifyView>,
    backup: Option<BackupResultView>,
    adoption: Option<AdoptionResultView>,
}

/// Of a pass, a drain or a replay.
#[derive(Debug, Serialize)]
struct PassView {
    scanned_count: u64,
    created_count: u64,
    updated_count: u64,
    deleted_count: u64,
    equal_count: u64,
    pending_count: u64,
    watermark: Option<String>,
    late_landing_count: u64,
    refused_count: u64,
    left_out_count: u64,
    left_out: Vec<String>,
}

/// Of a scan.
#[derive(Debug, Serialize)]
struct ScanView {
    snapshot: String,
    scanned_count: u64,
    device_count: u64,
    rewound: bool,
    rewound_evidence: String,
    digest: String,
}

/// Of a verification.
#[derive(Debug, Serialize)]
struct VerifyView {
    equal: bool,
    source_count: u64,
    target_count: u64,
    source_digest: String,
    target_digest: String,
    differing_devices: Vec<String>,
    differing_count: u64,
    read_time: Option<String>,
    left_out_count: u64,
    left_out: Vec<String>,
}

/// Of a backup or its restore.
#[derive(Debug, Serialize)]
struct BackupResultView {
    backup: String,
    record_count: u64,
    digest: String,
    stores: Vec<String>,
}

impl From<pb::Task> for TaskView {
    fn from(task: pb::Task) -> Self {
        let state = task.state();
        let progress = task.progress.map(|counted| ProgressView {
            scanned_count: counted.scanned_count,
            written_count: counted.written_count,
            call_count: counted.call_count,
        });
        Self {
            state: task_state(state),
            create_time: time_text(task.create_time.as_ref()),
            update_time: time_text(task.update_time.as_ref()),
            name: task.name,
            kind: task.kind,
            step: task.step,
            done: task.done,
            failure: task.failure.map(FailureView::from),
            progress,
            result: task.result.map(ResultView::from).unwrap_or_default(),
        }
    }
}

impl From<pb::task::Result> for ResultView {
    fn from(result: pb::task::Result) -> Self {
        let mut view = Self::default();
        match result {
            pb::task::Result::Pass(pass) => view.pass = Some(pass.into()),
            pb::task::Result::Scan(scan) => view.scan = Some(scan.into()),
            pb::task::Result::Verify(verify) => view.verify = Some(verify.into()),
            pb::task::Result::Backup(backup) => view.backup = Some(backup.into()),
            pb::task::Result::Adoption(adoption) => view.adoption = Some(adoption.into()),
        }
        view
    }
}

impl From<pb::PassResult> for PassView {
    fn from(pass: pb::PassResult) -> Self {
        Self {
            watermark: time_text(pass.watermark.as_ref()),
            scanned_count: pass.scanned_count,
            created_count: pass.created_count,
            updated_count: pass.updated_count,
            deleted_count: pass.deleted_count,
            equal_count: pass.equal_count,
            pending_count: pass.pending_count,
            late_landing_count: pass.late_landing_count,
            refused_count: pass.refused_count,
            left_out_count: pass.left_out_count,
            left_out: pass.left_out,
        }
    }
}

impl From<pb::ScanResult> for ScanView {
    fn from(scan: pb::ScanResult) -> Self {
        let pb::ScanResult {
            snapshot,
            scanned_count,
            rewound,
            rewound_evidence,
            digest,
            device_count,
        } = scan;
        Self {
            snapshot,
            scanned_count,
            device_count,
            rewound,
            rewound_evidence,
            digest,
        }
    }
}

impl From<pb::VerifyResult> for VerifyView {
    fn from(verify: pb::VerifyResult) -> Self {
        Self {
            read_time: time_text(verify.read_time.as_ref()),
            equal: verify.equal,
            source_count: verify.source_count,
            target_count: verify.target_count,
            source_digest: verify.source_digest,
            target_digest: verify.target_digest,
            differing_devices: verify.differing_devices,
            differing_count: verify.differing_count,
            left_out_count: verify.left_out_count,
            left_out: verify.left_out,
        }
    }
}

impl From<pb::BackupResult> for BackupResultView {
    fn from(result: pb::BackupResult) -> Self {
        let pb::BackupResult {
            backup,
            record_count,
            digest,
            stores,
        } = result;
        Self {
            backup,
            record_count,
            digest,
            stores,
        }
    }
}

impl TaskView {
    /// Where it stands, in a few words.
    pub(crate) fn standing(&self) -> String {
        let counted = self.progress.as_ref().map_or_else(String::new, |progress| {
            format!(
                ", {} scanned, {} written",
                progress.scanned_count, progress.written_count
            )
        });
        format!("{} {}, {}{counted}", self.kind, self.state, self.step)
    }

    fn add_result(&self, block: Block) -> Block {
        let block = match &self.result.pass {
            Some(pass) => pass.add_to(block),
            None => block,
        };
        let block = match &self.result.scan {
            Some(scan) => block
                .line("snapshot", &scan.snapshot)
                .line("records", scan.scanned_count)
                .line("devices", scan.device_count)
                .line("rewound", yes(scan.rewound))
                .line("evidence", &scan.rewound_evidence),
            None => block,
        };
        let block = match &self.result.verify {
            Some(verify) => verify.add_to(block),
            None => block,
        };
        let block = match &self.result.backup {
            Some(backup) => block
                .line("backup", last_segment(&backup.backup))
                .line("devices", backup.record_count)
                .line("stores", backup.stores.join(", ")),
            None => block,
        };
        match &self.result.adoption {
            Some(adoption) => adoption.add_whole_to(block),
            None => block,
        }
    }
}

impl PassView {
    fn add_to(&self, block: Block) -> Block {
        block
            .line("created", self.created_count)
            .line("updated", self.updated_count)
            .line("deleted", self.deleted_count)
            .line("equal before", self.equal_count)
            .line("pending", self.pending_count)
            .maybe(
                "cannot carry over",
                left_out(self.left_out_count, &self.left_out),
            )
            .maybe("complete up to", self.watermark.as_ref())
    }
}

/// What differs and cannot carry over, if there is any.
fn left_out(count: u64, named: &[String]) -> Option<String> {
    (count > 0).then(|| format!("{count}: {}", named.join(", ")))
}

impl VerifyView {
    fn add_to(&self, block: Block) -> Block {
        let block = block
            .line("equal", yes(self.equal))
            .line(
                "source",
                format!("{} devices, {}", self.source_count, self.source_digest),
            )
            .line(
                "target",
                format!("{} devices, {}", self.target_count, self.target_digest),
            )
            .maybe(
                "cannot carry over",
                left_out(self.left_out_count, &self.left_out),
            );
        if self.equal {
            return block;
        }
        let named = self.differing_devices.join(", ");
        block.line("different", format!("{}: {named}", self.differing_count))
    }
}

impl View for TaskView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("task", last_segment(&self.name))
            .line("kind", &self.kind)
            .line("state", &self.state)
            .line("step", &self.step)
            .maybe("failure", self.failure.as_ref().map(FailureView::text));
        self.add_result(block).text()
    }
}

impl Row for TaskView {
    const LIST: &'static str = "tasks";
    const HEADER: &'static [&'static str] = &[
        "task", "kind", "state", "step", "scanned", "written", "started",
    ];

    fn cells(&self) -> Vec<String> {
        let (scanned, written) = self.progress.as_ref().map_or((0, 0), |progress| {
            (progress.scanned_count, progress.written_count)
        });
        vec![
            last_segment(&self.name).to_owned(),
            self.kind.clone(),
            self.state.clone(),
            self.step.clone(),
            scanned.to_string(),
            written.to_string(),
            self.create_time.clone().unwrap_or_default(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verification_shows_which_devices_differ() {
        let verify = pb::VerifyResult {
            source_count: 3,
            target_count: 2,
            differing_devices: vec!["d-2".into()],
            differing_count: 1,
            ..Default::default()
        };
        let result = Some(pb::task::Result::Verify(verify));
        let task = pb::Task {
            kind: "verify".into(),
            done: true,
            result,
            ..Default::default()
        };
        let view = TaskView::from(task);
        assert!(
            view.human().contains("different  1: d-2"),
            "{}",
            view.human()
        );
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["verify"]["differing_devices"][0], "d-2");
        assert!(json["pass"].is_null());
    }
}
