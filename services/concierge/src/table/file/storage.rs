//! What is done with files, one step after the other, so that a test may stop between any two.

use std::fs::File;
use std::io::{Result, Write as _};
use std::path::Path;

/// The steps that the table file needs.
pub(in crate::table) trait Storage: std::fmt::Debug + Send + Sync {
    /// The whole content.
    fn read(&self, path: &Path) -> Result<Vec<u8>>;
    /// Makes a folder, if it isn't there.
    fn create_dir(&self, path: &Path) -> Result<()>;
    /// Writes a whole file that survives a power cut, if its folder knows of it.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()>;
    /// Gives a file another name, whose file before is gone.
    fn rename(&self, from: &Path, to: &Path) -> Result<()>;
    /// What a folder knows survives a power cut from then on.
    fn sync_dir(&self, path: &Path) -> Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &Path) -> Result<()>;
}

/// This machine's file system.
#[derive(Debug)]
pub(in crate::table) struct FileSystem;

impl Storage for FileSystem {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        std::fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let mut file = File::create(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        std::fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> Result<()> {
        std::fs::remove_file(path)
    }
}
