//! The folder is looked at again and again: new keys are taken without a restart.
//!
//! Kept true: files that can't be used change nothing, whatever is wrong with them; the keys that
//! were read last stay, and a metric says so until the folder is whole again. Files are told apart
//! by their content, which is small: a date of a file system is too coarse for two quick changes.

use time::OffsetDateTime;

use super::keys::Keys;
use super::{SigningError, SigningFiles};

/// A folder, and what was seen in it.
#[derive(Debug)]
pub(super) struct Folder {
    files: SigningFiles,
    /// What the files were when they were read last; `None` when they could not be.
    stamp: Option<[u8; 32]>,
    /// What was logged about files that can't be used.
    told: Option<String>,
}

impl Folder {
    /// Reads the keys for the first time.
    pub(super) fn open(
        files: &SigningFiles,
        now: OffsetDateTime,
    ) -> Result<(Self, Keys), SigningError> {
        // First, so that what changes meanwhile is seen by the next look.
        let stamp = Some(files.stamp()?);
        let keys = Keys::read(files, now, None)?;
        let folder = Self {
            files: files.clone(),
            stamp,
            told: None,
        };
        Ok((folder, keys))
    }

    /// Other keys than those before, if the files hold any.
    pub(super) fn look(&mut self, before: &Keys, now: OffsetDateTime) -> Option<Keys> {
        match self.read(before, now) {
            Ok(None) => None,
            Ok(Some(keys)) => {
                self.told = None;
                metrics::gauge!("hubshift_signing_reload_failed").set(0.0);
                Some(keys).filter(|keys| !keys.are(before))
            }
            Err(error) => {
                self.tell(&error);
                None
            }
        }
    }

    /// The keys, unless the files are those of the last time.
    fn read(&mut self, before: &Keys, now: OffsetDateTime) -> Result<Option<Keys>, SigningError> {
        let last = self.stamp.take();
        self.stamp = Some(self.files.stamp()?);
        if last == self.stamp {
            return Ok(None);
        }
        let keys = Keys::read(&self.files, now, Some(before));
        if keys.is_err() {
            // Perhaps it was the disk, or the file that the stamp doesn't cover: once more.
            self.stamp = None;
        }
        keys.map(Some)
    }

    /// Says it once.
    fn tell(&mut self, error: &SigningError) {
        metrics::gauge!("hubshift_signing_reload_failed").set(1.0);
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "the signing keys changed and can't be used; the ones before stay in use"
            );
            self.told = Some(text);
        }
    }
}
