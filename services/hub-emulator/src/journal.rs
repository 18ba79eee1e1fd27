//! The registry on disk: a journal of JSON lines, one for each write, each with the whole record
//! of a device and its modules, or with a whole configuration.
//!
//! Durable: every acknowledged write, against the death of the process (not of the machine:
//! lines are written, not synced). At load the journal is folded and written anew, so that it
//! does not grow from start to start. A torn last line was never acknowledged and is dropped.

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hubshift_azure::Configuration;
use serde::{Deserialize, Serialize};
use tracing::warn;

use crate::private_file;
use crate::registry::Record;
use crate::start_error::StartError;

/// All records by device id. They are shared: a record that is replaced lives on where it is read.
pub(crate) type Records = BTreeMap<String, Arc<Record>>;

/// All configurations by id.
pub(crate) type Configurations = BTreeMap<String, Configuration>;

/// Everything that the journal keeps.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) records: Records,
    pub(crate) configurations: Configurations,
}

impl Kept {
    /// Repeats one write.
    fn take(&mut self, stored: Stored) {
        match stored {
            Stored::Put(record) => {
                self.records
                    .insert(record.device_id.clone(), Arc::from(record));
            }
            Stored::Delete(device_id) => {
                self.records.remove(&device_id);
            }
            Stored::PutConfiguration(configuration) => {
                let id = configuration.id.clone();
                self.configurations.insert(id, *configuration);
            }
            Stored::DeleteConfiguration(id) => {
                self.configurations.remove(&id);
            }
        }
    }
}

/// One write, to be written.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Entry<'a> {
    Put(&'a Record),
    Delete(&'a str),
    PutConfiguration(&'a Configuration),
    DeleteConfiguration(&'a str),
}

/// One write, read back.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stored {
    Put(Box<Record>),
    Delete(String),
    PutConfiguration(Box<Configuration>),
    DeleteConfiguration(String),
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
    pub(crate) fn open(path: &Path) -> Result<(Self, Kept), StartError> {
        let lock = lock(path)?;
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(source) => return Err(file_error(path, "cannot be read", source)),
        };
        let kept = fold(path, &text)?;
        Ok((
            Self {
                path: path.to_owned(),
                lock,
            },
            kept,
        ))
    }

    /// Writes the file anew with this and opens it for more.
    pub(crate) fn start(self, kept: &Kept) -> Result<Journal, StartError> {
        let cannot = |source| file_error(&self.path, "cannot be written", source);
        private_file::replace(&self.path, |out| {
            let records = kept.records.values().map(|record| Entry::Put(record));
            let configurations = kept.configurations.values().map(Entry::PutConfiguration);
            records
                .chain(configurations)
                .try_for_each(|entry| out.write_all(&line(&entry)?))
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
        self.append(&line(&Entry::Put(record))?)
    }

    /// Writes that a device is gone.
    pub(crate) fn delete(&mut self, device_id: &str) -> io::Result<()> {
        self.append(&line(&Entry::Delete(device_id))?)
    }

    /// Writes that a configuration is now so.
    pub(crate) fn put_configuration(&mut self, configuration: &Configuration) -> io::Result<()> {
        self.append(&line(&Entry::PutConfiguration(configuration))?)
    }

    /// Writes that a configuration is gone.
    pub(crate) fn delete_configuration(&mut self, id: &str) -> io::Result<()> {
        self.append(&line(&Entry::DeleteConfiguration(id))?)
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

fn line(entry: &Entry<'_>) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(entry)?;
    line.push(b'\n');
    Ok(line)
}

fn fold(path: &Path, text: &[u8]) -> Result<Kept, StartError> {
    let mut kept = Kept::default();
    let mut lines = text.split(|byte| *byte == b'\n').enumerate().peekable();
    while let Some((index, line)) = lines.next() {
        match serde_json::from_slice(line) {
            Ok(stored) => kept.take(stored),
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
    Ok(kept)
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
        let (file, kept) = DataFile::open(path).unwrap();
        file.start(&kept).unwrap()
    }

    fn load(path: &Path) -> Result<Vec<String>, StartError> {
        DataFile::open(path).map(|(_, kept)| kept.records.into_keys().collect())
    }

    fn put_line(record: &Record) -> io::Result<Vec<u8>> {
        line(&Entry::Put(record))
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

    #[test]
    fn configurations_are_kept_beside_devices() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let mut open = journal(&path);
        open.put(&sample("a")).unwrap();
        for id in ["one", "two"] {
            let configuration = Configuration {
                id: id.to_owned(),
                priority: Some(7),
                ..Configuration::default()
            };
            open.put_configuration(&configuration).unwrap();
        }
        open.delete_configuration("one").unwrap();
        drop(open);
        drop(journal(&path));
        let (_, kept) = DataFile::open(&path).unwrap();
        assert_eq!(kept.records.len(), 1);
        assert_eq!(kept.configurations.len(), 1);
        assert_eq!(kept.configurations["two"].priority, Some(7));
    }

    #[test]
    fn a_torn_line_of_any_kind_is_dropped_and_a_whole_one_of_an_unknown_kind_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let configuration = Configuration {
            id: "c".to_owned(),
            ..Configuration::default()
        };
        let kinds = [
            line(&Entry::PutConfiguration(&configuration)).unwrap(),
            line(&Entry::DeleteConfiguration("c")).unwrap(),
            line(&Entry::Delete("a")).unwrap(),
        ];
        let whole = put_line(&sample("a")).unwrap();
        for kind in kinds {
            for torn in 1..kind.len() - 1 {
                std::fs::write(&path, [&whole[..], &kind[..torn]].concat()).unwrap();
                let (file, kept) = DataFile::open(&path).unwrap();
                assert_eq!((kept.records.len(), kept.configurations.len()), (1, 0));
                drop(file);
            }
        }
        let later = b"{\"put_something\":{}}\n";
        std::fs::write(&path, [&whole[..], &later[..]].concat()).unwrap();
        assert!(matches!(load(&path), Err(StartError::Data { line: 2, .. })));
    }

    #[test]
    fn a_record_from_before_there_were_modules_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hub.jsonl");
        let mut line: serde_json::Value =
            serde_json::from_slice(&put_line(&sample("a")).unwrap()).unwrap();
        let record = line["put"].as_object_mut().unwrap();
        for field in ["modules", "device_scope", "parent_scopes"] {
            assert!(record.remove(field).is_some(), "{field}");
        }
        let twin = record["twin"].as_object_mut().unwrap();
        for field in ["reported", "reported_writes", "reported_metadata"] {
            assert!(twin.remove(field).is_some(), "{field}");
        }
        std::fs::write(&path, format!("{line}\n")).unwrap();
        assert_eq!(load(&path).unwrap(), ["a"]);
    }
}
