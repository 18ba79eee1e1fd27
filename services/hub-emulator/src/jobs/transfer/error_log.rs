//! The log of an import: a line for each one that was not applied. Without any there is no log.

use hubshift_azure::{IMPORT_ERRORS_BLOB, ImportError};
use hubshift_blob::{BlobWriter, Container, ContainerError};

use super::JobFailure;

/// The log, begun when there is something to say.
pub(super) struct ErrorLog<'a> {
    container: &'a Container,
    writer: Option<BlobWriter>,
}

impl<'a> ErrorLog<'a> {
    pub(super) fn new(container: &'a Container) -> Self {
        Self {
            container,
            writer: None,
        }
    }

    pub(super) async fn write(&mut self, error: &ImportError) -> Result<(), JobFailure> {
        let line = serde_json::to_string(error)?;
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.container.writer(IMPORT_ERRORS_BLOB).await,
        };
        writer.line(&line).await?;
        self.writer = Some(writer);
        Ok(())
    }

    pub(super) async fn finish(self) -> Result<(), ContainerError> {
        match self.writer {
            Some(writer) => writer.finish().await,
            None => Ok(()),
        }
    }
}
