//! The registry on disk: a journal of JSON lines, one for each write, each with the whole record.
//!
//! Durable: every acknowledged write, against the death of the process (not of the machine:
//! lines are written, not synced). At load the journal is folded and written anew, so that it
//! does not grow from start to start. A torn last line was never acknowledged and is dropped.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::private_file;
use crate::registry::Record;
use crate::start_error::StartError;

/// All records by device id.
pub(crate) type Records = BTreeMap<String, Record>;

/// One write, to be written.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Entry<'a> {
    Put(&'a Record),
    Delete(&'a str),
}

/// One write, read back.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Stored {
    Put(Box<Record>),
    Delete(String),
}

/// A data file that is ours alone, read but not yet written.
pub(crate) struct DataFile {
    path: PathBuf,
    lock: File,
}

/// A data file that takes writes.
pub(crate) struct Journal {
    file: File,
    /// Where the last whole line ends.
    length: u64,
    /// A write failed and could not be taken back: no more writes.
    is_broken: bool,
    /// Held until the end, so that no other process writes the file.
    _lock: File,
}

impl DataFile {
    /// Locks and reads the file; there may be none yet.
    pub(crate) fn open(path: &Path) -> Result<(Self, Records), StartError> {
        let lock = lock(path)?;
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(file_error(path, "cannot be read", source)),
        };
        let records = fold(path, &text)?;
        Ok((
            Self {
                path: path.to_owned(),
                lock,
            },
            records,
        ))
    }

    /// Writes the file anew with these records and opens it for more.
    pub(crate) fn start(self, records: &Records) -> Result<Journal, StartError> {
        let cannot = |source| file_error(&self.path, "cannot be written", source);
        private_file::replace(&self.path, |out| {
            records
                .values()
                .try_for_each(|record| out.write_all(&put_line(record)?))
        })
        .map_err(cannot)?;
        let file = private_file::append(&self.path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        Ok(Journal {
            file,
            length,
            is_broken: false,
            _lock: self.lock,
        })
    }
}

impl Journal {
    /// Writes that a record is now so.
    pub(crate) fn put(&mut self, record: &Record) -> io::Result<()> {
        self.append(&put_line(record)?)
    }

    /// Writes that a device is gone.
    pub(crate) fn delete(&mut self, device_id: &str) -> io::Result<()> {
        self.append(&line(&Entry::Delete(device_id))?)
    }

    /// A line that is not whole is taken back, or else the next one would be lost with it.
    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.is_broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        match self.file.write_all(line) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(error) => {
                self.is_broken = self.file.set_len(self.length).is_err();
                Err(error)
            }
        }
    }
}

fn put_line(record: &Record) -> io::Result<Vec<u8>> {
    line(&Entry::Put(record))
}

fn line(entry: &Entry<'_>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

fn fold(path: &Path, text: &[u8]) -> Result<Records, StartError> {
    let mut records = Records::new();
    let mut lines = text.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(Stored::Put(record)) => {
                records.insert(record.device_id.clone(), *record);
            }
            Ok(Stored::Delete(device_id)) => {
                records.remove(&device_id);
            }
            Err(_) if lines.peek().is_none() => {
                if !line.is_empty() {
                    warn!(path = %path.display(), "dropped a torn last line");
                }
            }
            Err(_) => {
                return Err(StartError::Data {
                    path: path.to_owned(),
                    line: index + 1,
                });
            }
        }
    }
    Ok(records)
}

fn lock(path: &Path) -> Result<File, StartError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let cannot = |source| file_error(&name, "cannot be locked", source);
    let file = private_file::append(&name).map_err(cannot)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::DataInUse(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(cannot(source)),
    }
}

fn file_error(path: &Path, what: &'static str, source: io::Error) -> StartError {
    StartError::File {
        path: path.to_owned(),
        what,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::sample;

    fn journal(path: &Path) -> Journal {
        let (file, records) = DataFile::open(path).unwrap();
        file.start(&records).unwrap()
    }

    fn load(path: &Path) -> Result<Vec<String>, StartError> {
        DataFile::open(path).map(|(_, records)| records.into_keys().collect())
    }

    #[test]
    fn what_is_written_is_there_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let mut open = journal(&path);
        for id in ["a", "b"] {
            open.put(&sample(id)).unwrap();
        }
        open.delete("a").unwrap();
        // Nothing is flushed or closed on the way out, as after SIGKILL; only the lock goes.
        let Journal { file, _lock, .. } = open;
        std::mem::forget(file);
        drop(_lock);
        assert_eq!(load(&path).unwrap(), ["b"]);
    }

    #[test]
    fn a_torn_last_line_is_dropped_and_a_damaged_one_before_it_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let whole = String::from_utf8(put_line(&sample("a")).unwrap()).unwrap();
        std::fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        assert_eq!(load(&path).unwrap(), ["a"]);
        std::fs::write(&path, format!("{}\n{whole}", &whole[..20])).unwrap();
        assert!(matches!(load(&path), Err(StartError::Data { line: 1, .. })));
    }

    #[test]
    fn a_second_process_is_kept_out() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let _first = journal(&path);
        assert!(matches!(load(&path), Err(StartError::DataInUse(_))));
    }

    #[test]
    fn loading_shortens_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let mut open = journal(&path);
        for _ in 0..5 {
            open.put(&sample("a")).unwrap();
        }
        drop(open);
        drop(journal(&path));
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }
}
