//! An export: every device and module as one line of a blob.

use hubshift_azure::{DEVICES_BLOB, ExportImportDevice, JobProperties, SymmetricKey, export_line};
use hubshift_blob::Container;

use super::pieces::Pieces;
use super::{JobFailure, configurations, container, percent};
use crate::answer::Refusal;
use crate::app::App;
use crate::jobs::pace::Pace;

/// The first line of an export without keys: plain text, so that the blob is not pure JSON.
const NOTICE: &str = "Warning: authorization keys are not part of this export, because excludeKeysInExport was true. Devices that are made from it get new keys.";

/// An export that can be written.
pub(crate) struct Export {
    container: Container,
    blob: String,
    leaves_keys_out: bool,
    /// The blob for configurations, if they are part of it.
    configurations: Option<String>,
}

impl Export {
    pub(super) async fn open(asked: &JobProperties) -> Result<Self, Refusal> {
        let container = container("output", asked.output_blob_container_uri.as_ref()).await?;
        let blob = asked.output_blob_name.as_deref().unwrap_or(DEVICES_BLOB);
        Ok(Self {
            container,
            blob: blob.to_owned(),
            leaves_keys_out: asked.exclude_keys_in_export.unwrap_or(false),
            configurations: configurations::blob(asked),
        })
    }

    pub(super) async fn carry_out(&self, app: &App, id: &str) -> Result<(), JobFailure> {
        let settings = app.jobs.settings();
        let mut pieces = Pieces::new(app, settings.export_while_written);
        let mut pace = Pace::new(settings.lines_per_second);
        let mut out = self.container.writer(&self.blob).await;
        if self.leaves_keys_out {
            out.line(NOTICE).await?;
        }
        let devices = app.registry().statistics().total_device_count;
        let devices = usize::try_from(devices).unwrap_or(0);
        let mut written = 0;
        while let Some(piece) = pieces.next(app) {
            for batch in piece.chunks(pace.batch()) {
                pace.wait().await;
                for entry in batch {
                    out.line(&self.line(entry)?).await?;
                }
                written += batch.len();
                app.jobs.transfers.progress(id, percent(written, devices));
            }
        }
        out.finish().await?;
        if let Some(blob) = &self.configurations {
            configurations::export(app, &self.container, blob).await?;
        }
        Ok(())
    }

    fn line(&self, entry: &ExportImportDevice) -> Result<String, serde_json::Error> {
        if self.leaves_keys_out {
            export_line::write(&without_keys(entry))
        } else {
            export_line::write(entry)
        }
    }
}

/// The entry with `null` for its keys.
fn without_keys(entry: &ExportImportDevice) -> ExportImportDevice {
    let mut entry = entry.clone();
    if let Some(keys) = entry
        .authentication
        .as_mut()
        .and_then(|authentication| authentication.symmetric_key.as_mut())
    {
        *keys = SymmetricKey::default();
    }
    entry
}

#[cfg(test)]
mod tests {
    use hubshift_azure::{Authentication, Secret};

    use super::*;

    #[test]
    fn keys_are_null_and_the_rest_stays() {
        let key = Secret::new("Y2FuYXJ5");
        let entry = ExportImportDevice {
            id: "d".to_owned(),
            authentication: Some(Authentication::sas(key.clone(), key)),
            ..ExportImportDevice::default()
        };
        let line = export_line::write(&without_keys(&entry)).unwrap();
        assert!(line.contains(r#""primaryKey":null"#), "{line}");
        assert!(line.contains(r#""type":"sas""#), "{line}");
    }

    #[test]
    fn the_notice_is_told_from_a_damaged_device() {
        assert!(export_line::is_notice(NOTICE));
    }
}
