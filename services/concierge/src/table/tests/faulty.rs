//! File systems that fail on the way.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::super::file::{FileSystem, Storage};

/// A disk that is full after so many bytes of a file. What was written of it stays until it is
/// taken away.
#[derive(Debug)]
pub(super) struct Full {
    /// How many bytes a file may have; `usize::MAX` while there is room.
    pub(super) after: AtomicUsize,
}

impl Storage for Full {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        FileSystem.read(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        FileSystem.create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let after = self.after.load(Ordering::Relaxed);
        match bytes.get(..after) {
            None => FileSystem.write(path, bytes),
            Some(start) => {
                std::fs::write(path, start)?;
                Err(Error::from(ErrorKind::StorageFull))
            }
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        FileSystem.rename(from, to)
    }

    /// Thousands of them would take their time, and prove nothing here.
    fn sync_dir(&self, _path: &Path) -> Result<()> {
        Ok(())
    }

    fn remove(&self, path: &Path) -> Result<()> {
        FileSystem.remove(path)
    }
}

/// A process that is killed after so many steps: nothing happens any more. A file takes two steps,
/// the first one leaves half of it.
#[derive(Debug)]
pub(super) struct Killed {
    pub(super) after: AtomicUsize,
}

impl Killed {
    /// One more step.
    fn lives(&self) -> Result<()> {
        let left = self.after.load(Ordering::Relaxed);
        let left = left.checked_sub(1).ok_or(Error::other("killed"))?;
        self.after.store(left, Ordering::Relaxed);
        Ok(())
    }
}

impl Storage for Killed {
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        FileSystem.read(path)
    }

    fn create_dir(&self, path: &Path) -> Result<()> {
        self.lives()?;
        FileSystem.create_dir(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        self.lives()?;
        FileSystem.write(path, &bytes[..bytes.len() / 2])?;
        self.lives()?;
        FileSystem.write(path, bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> Result<()> {
        self.lives()?;
        FileSystem.rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> Result<()> {
        self.lives()?;
        FileSystem.sync_dir(path)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        self.lives()?;
        FileSystem.remove(path)
    }
}
