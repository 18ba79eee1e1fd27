//! A chunk of a backup: export lines, encrypted, named after what is in them.

use bytes::Bytes;
use hubshift_domain::identity::Fingerprint;

use super::key::{BackupKey, CipherError};
use super::line::{Line, LineError};
use super::manifest::ChunkEntry;
use crate::seal::FleetKeys;

/// Devices in a chunk at most.
pub(crate) const CHUNK_RECORDS: usize = 1000;

/// Why a chunk is not what its manifest says, or could not be made. Shows nothing of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChunkError {
    /// It does not decrypt, or could not be encrypted.
    #[error(transparent)]
    Cipher(#[from] CipherError),
    /// It decrypts to something else than it is named after.
    #[error("holds something else than it is named after")]
    OtherContent,
    /// A line of it is no device.
    #[error(transparent)]
    Line(#[from] LineError),
    /// It has not as many devices as it should.
    #[error("has {found} devices instead of {expected}")]
    Count {
        /// What the manifest says.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A line could not be written.
    #[error("a device cannot be written as a line")]
    Write(#[source] serde_json::Error),
}

/// A chunk, ready to be put.
#[derive(Debug)]
pub(crate) struct Packed {
    /// What the manifest says of it.
    pub(crate) entry: ChunkEntry,
    /// Its encrypted bytes.
    pub(crate) bytes: Bytes,
}

/// Encrypts lines.
pub(crate) fn pack(
    key: &BackupKey,
    keys: &FleetKeys,
    lines: &[Line],
) -> Result<Packed, ChunkError> {
    let mut plain = String::new();
    for line in lines {
        plain.push_str(&line.to_text().map_err(ChunkError::Write)?);
        plain.push('\n');
    }
    let entry = ChunkEntry {
        name: name(keys, plain.as_bytes()).to_string(),
        record_count: lines.len() as u64,
    };
    let bytes = key.seal(plain.as_bytes())?.into();
    Ok(Packed { entry, bytes })
}

/// Decrypts a chunk; nothing comes out of one that is not exactly what the manifest says.
pub(crate) fn unpack(
    key: &BackupKey,
    keys: &FleetKeys,
    entry: &ChunkEntry,
    bytes: &[u8],
) -> Result<Vec<Line>, ChunkError> {
    let plain = key.open(bytes)?;
    if name(keys, &plain).to_string() != entry.name {
        return Err(ChunkError::OtherContent);
    }
    let text = std::str::from_utf8(&plain).map_err(|_| LineError::Malformed)?;
    let lines = text.lines().map(|line| Line::parse(line, keys));
    let lines = lines.collect::<Result<Vec<_>, _>>()?;
    let found = lines.len() as u64;
    if found != entry.record_count {
        return Err(ChunkError::Count {
            expected: entry.record_count,
            found,
        });
    }
    Ok(lines)
}

fn name(keys: &FleetKeys, plain: &[u8]) -> Fingerprint {
    keys.fingerprint.fingerprint("backup-chunk", plain)
}

#[cfg(test)]
mod tests {
    use hubshift_domain::identity::Record;
    use hubshift_hub::{Credentials, Secret};
    use serde_json::json;

    use super::*;
    use crate::seal::tests::keys;
    use crate::secret::SecretRef;

    fn line(keys: &FleetKeys, id: &str, credentials: Credentials, incarnation: u32) -> Line {
        let map = |value: serde_json::Value| value.as_object().unwrap().clone();
        Line {
            device_id: id.into(),
            incarnation,
            record: Record {
                enabled: incarnation == 1,
                status_reason: (incarnation != 1).then(|| "stolen".to_owned()),
                credential: keys.credential(id, &credentials),
                iot_edge: id == "gateway",
                parent: (id == "leaf").then(|| "gateway".to_owned()),
                managed_by: (id == "gateway/m").then(|| "iotEdge".to_owned()),
                tags: map(json!({"site": {"floor": 3}, "note": "äöü"})),
                desired: map(json!({"rate": 2.5})),
            },
            credentials,
        }
    }

    fn lines(keys: &FleetKeys) -> Vec<Line> {
        let sas = Credentials::Sas {
            primary: Secret::new("Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMQ=="),
            secondary: Secret::new("Y2FuYXJ5LWNhbmFyeS1jYW5hcnktMg=="),
        };
        let print = Credentials::SelfSigned {
            primary_thumbprint: "AB".repeat(20),
            secondary_thumbprint: None,
        };
        vec![
            line(keys, "gateway", sas.clone(), 1),
            line(keys, "leaf", print, 2),
            line(keys, "third", Credentials::Ca, 1),
            line(keys, "gateway/m", sas, 3),
            line(keys, "gateway/$edgeAgent", Credentials::None, 1),
            line(keys, "/configurations/site-7", Credentials::None, 2),
        ]
    }

    fn key() -> BackupKey {
        let folder = tempfile::tempdir().unwrap();
        BackupKey::load(&SecretRef::File(folder.path().join("key")), true).unwrap()
    }

    #[test]
    fn what_is_packed_comes_out_to_the_letter() {
        let (key, keys) = (key(), keys(4));
        let packed = pack(&key, &keys, &lines(&keys)).unwrap();
        let found = unpack(&key, &keys, &packed.entry, &packed.bytes).unwrap();
        for (found, line) in found.iter().zip(lines(&keys)) {
            assert_eq!(found.device_id, line.device_id);
            assert_eq!(found.incarnation, line.incarnation);
            assert_eq!(found.record, line.record);
            assert_eq!(found.credentials, line.credentials);
        }
        assert_eq!(found.len(), 6);
    }

    #[test]
    fn equal_chunks_have_one_name_and_it_is_keyed() {
        let (key, ours, others) = (key(), keys(4), keys(5));
        let name = |keys: &FleetKeys| pack(&key, keys, &lines(&ours)).unwrap().entry.name;
        assert_eq!(name(&ours), name(&ours));
        assert_ne!(name(&ours), name(&others));
    }

    #[test]
    fn a_chunk_under_another_ones_name_is_refused() {
        let (key, keys) = (key(), keys(4));
        let all = lines(&keys);
        let one = pack(&key, &keys, &all).unwrap();
        let other = pack(&key, &keys, &all[..2]).unwrap();
        let swapped = unpack(&key, &keys, &one.entry, &other.bytes);
        assert!(matches!(swapped, Err(ChunkError::OtherContent)));
        let mut damaged = one.bytes.to_vec();
        damaged[40] ^= 1;
        assert!(matches!(
            unpack(&key, &keys, &one.entry, &damaged),
            Err(ChunkError::Cipher(_))
        ));
    }

    #[test]
    fn a_line_is_an_export_line_that_azures_own_reader_takes() {
        let keys = keys(4);
        for line in lines(&keys) {
            let text = line.to_text().unwrap();
            let read = hubshift_azure::export_line::parse(&text, 1);
            let Ok(read) = read else {
                // There are no lines of configurations: importers are told so by the lack of an id.
                assert!(line.device_id.starts_with("/configurations/"), "{text}");
                assert!(read.unwrap_err().to_string().contains("id is missing"));
                continue;
            };
            let key = match read.module_id {
                Some(module) => format!("{}/{module}", read.id),
                None => read.id,
            };
            assert_eq!(key, line.device_id);
        }
    }
}
