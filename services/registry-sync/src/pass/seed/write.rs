//! A file of what the standby lacks, line by line from what the authority was seen to hold.

use std::collections::HashMap;
use std::time::Duration;

use hubshift_flow::StepError;
use hubshift_hub::{BadLine, import_line};

use super::Run;
use super::place::Stage;
use crate::jobs::{self, FilesError, import_blob};
use crate::observe::{Observed, device_write};
use crate::pass::Pass;
use crate::seal::{FleetKeys, KeyError};
use crate::store;
use crate::workflows::trouble::Turn;

/// Devices of a file: an import of them takes some twelve minutes.
const FILE: u64 = 50_000;
/// Devices that are read together.
const PAGE: i64 = 500;

/// What was written.
#[derive(Debug, Default)]
struct Written {
    lines: u64,
    /// Devices of which no line can be made.
    skipped: u64,
    /// The last device that was looked at.
    last: String,
    /// Whether there are no others.
    is_last: bool,
}

/// Why no line of a device can be made. Shows nothing of it.
#[derive(Debug, thiserror::Error)]
enum NoLine {
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Line(#[from] BadLine),
}

impl Pass {
    /// One file, whole.
    pub(super) async fn write_file(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        let file = self.seed.file + 1;
        let (pool, job) = (&run.cx.deps.pool, run.row.job_id);
        if !store::import_job::note_file(pool, job, file).await? {
            self.seed.give_up(false);
            return Ok(Turn::More);
        }
        let keys = run.cx.deps.keys(run.cx.fleet).await?;
        let written = match self.put(run, &keys, &import_blob(job, file)).await {
            Ok(written) => written,
            Err(error) => return self.files_failed(run, error, false),
        };
        if written.skipped > 0 {
            let (fleet, hub, skipped) = (run.cx.fleet, run.jobs.hub_id, written.skipped);
            tracing::warn!(%fleet, %hub, skipped, "devices of which no line can be made");
        }
        self.seed.is_last = written.is_last;
        if written.lines == 0 {
            self.seed.give_up(false);
        } else {
            (self.seed.file, self.seed.after) = (file, written.last);
            self.seed.stage = Stage::Import;
        }
        Ok(Turn::Pause(Duration::ZERO))
    }

    async fn put(
        &self,
        run: &Run<'_>,
        keys: &FleetKeys,
        blob: &str,
    ) -> Result<Written, FilesError> {
        let (pool, fleet) = (&run.cx.deps.pool, run.cx.fleet.as_str());
        let (source, target) = (self.source.as_str(), self.target.as_str());
        let mut writer = jobs::container(&run.row.container_ref)?.writer(blob).await;
        let mut written = Written {
            last: self.seed.after.clone(),
            ..Written::default()
        };
        while written.lines < FILE {
            let after = written.last.as_str();
            let page = store::seed::lacking(pool, fleet, source, target, after, PAGE).await?;
            let Some(last) = page.last().cloned() else {
                written.is_last = true;
                break;
            };
            for device in store::observed::get_many(pool, fleet, source, &page).await? {
                match line(keys, &device) {
                    Ok(line) => {
                        writer.line(&line).await?;
                        written.lines += 1;
                    }
                    Err(error) => {
                        let id = device.device_id.as_str();
                        tracing::debug!(device = id, %error, "left to calls");
                        written.skipped += 1;
                    }
                }
            }
            written.last = last;
            // Whether it was closed meanwhile is seen before the hub is asked.
            store::import_job::touch(pool, run.row.job_id).await?;
        }
        if written.lines > 0 {
            writer.finish().await?;
        }
        Ok(written)
    }
}

/// The line that makes a device. Has its keys in it.
fn line(keys: &FleetKeys, device: &Observed) -> Result<String, NoLine> {
    let write = device_write(keys, &device.device_id, &device.record, &device.sealed)?;
    Ok(import_line(&write, &HashMap::new())?)
}

#[cfg(test)]
mod tests {
    use hubshift_domain::identity::Record;
    use hubshift_hub::{Credentials, Secret, export_line};
    use serde_json::json;
    use time::OffsetDateTime;

    use super::*;
    use crate::seal::tests::keys;

    fn seen(keys: &FleetKeys, credentials: &Credentials) -> Observed {
        let record = Record {
            enabled: false,
            status_reason: Some("stolen".into()),
            credential: keys.credential("d", credentials),
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: json!({"site": "x"}).as_object().unwrap().clone(),
            desired: json!({"rate": 5}).as_object().unwrap().clone(),
        };
        Observed {
            device_id: "d".into(),
            generation_id: "g".into(),
            incarnation: 1,
            identity_etag: "i".into(),
            twin_etag: "t".into(),
            twin_version: 1,
            desired_version: 1,
            fingerprint: record.fingerprint(&keys.fingerprint, "d"),
            record,
            sealed: keys.seal("d", credentials).unwrap(),
            read_time: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn sas() -> Credentials {
        Credentials::Sas {
            primary: Secret::new("Y2FuYXJ5"),
            secondary: Secret::new("Y2FuYXJ5Mg=="),
        }
    }

    #[test]
    fn a_line_makes_the_device_with_its_keys_and_never_another() {
        let keys = keys(3);
        let device = seen(&keys, &sas());
        let line = line(&keys, &device).unwrap();
        assert!(line.contains(r#""importMode":"create""#), "{line}");
        let made = export_line(&line).unwrap().unwrap();
        assert_eq!(made.identity.credentials, sas());
        assert!(!made.identity.enabled);
        assert_eq!(
            (made.tags, made.desired),
            (device.record.tags, device.record.desired)
        );
    }

    #[test]
    fn no_line_is_made_of_a_device_whose_keys_do_not_open() {
        let mut device = seen(&keys(3), &sas());
        assert!(matches!(line(&keys(4), &device), Err(NoLine::Key(_))));
        device = seen(&keys(3), &Credentials::None);
        let refused = line(&keys(3), &device).unwrap_err();
        assert!(matches!(refused, NoLine::Line(BadLine::NoCredentials)));
        assert!(!format!("{refused} {refused:?}").contains("Y2FuYXJ5"));
    }
}
