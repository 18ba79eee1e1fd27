//! Version 2: what survives, what is refused, and whose files need no signature check.

use hubshift_domain::route::PrivateKey;
use time::OffsetDateTime;

use super::super::fixture::{entry, key, signer};
use super::*;
use crate::signing::{Signer, SigningFiles};

fn table(epoch: u64) -> Snapshot {
    let fleets = [("acme", epoch), ("other", 1024), ("third", 3073)];
    let entries = fleets.map(|(fleet, epoch)| entry(fleet, epoch, 1));
    let as_of = OffsetDateTime::from_unix_timestamp_nanos(1_800_000_000_000_000_001).unwrap();
    Snapshot::of(entries.into(), as_of)
}

fn seal() -> Seal {
    signer().seal()
}

fn written() -> Vec<u8> {
    encode(&table(2049), &seal()).unwrap()
}

#[test]
fn a_table_survives_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let file = TableFile::in_dir(&dir.path().join("data"));
    assert!(matches!(file.load(&seal()), Err(FileError::Missing)));
    for epoch in [1024, 2049] {
        let table = table(epoch);
        file.save(&encode(&table, &seal()).unwrap()).unwrap();
        let read = file.load(&seal()).unwrap();
        assert_eq!(read.snapshot.fleets, table.fleets);
        assert_eq!(read.snapshot.as_of, table.as_of);
        assert!(read.is_vouched && read.snapshot.is_loaded);
    }
    let left: Vec<_> = std::fs::read_dir(dir.path().join("data"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    file.remove().unwrap();
    file.remove().unwrap();
    assert!(matches!(file.load(&seal()), Err(FileError::Missing)));
}

#[test]
fn a_file_cut_at_any_byte_is_refused() {
    let bytes = written();
    for length in 0..bytes.len() {
        assert!(
            decode(&bytes[..length], &seal()).is_err(),
            "cut at {length}"
        );
    }
    assert!(decode(&bytes, &seal()).is_ok());
    assert!(decode(&[bytes.as_slice(), b" "].concat(), &seal()).is_err());
}

/// An altered seal alone is no reason to refuse: then every route is verified.
#[test]
fn a_file_with_any_byte_altered_is_refused_or_whole_and_not_vouched_for() {
    let (bytes, seal) = (written(), seal());
    let whole = table(2049).fleets;
    for at in 0..bytes.len() {
        for flip in [0x01, 0x20, 0xff] {
            let mut altered = bytes.clone();
            altered[at] ^= flip;
            if let Ok(read) = decode(&altered, &seal) {
                assert_eq!(read.snapshot.fleets, whole, "altered at {at}");
                assert!(!read.is_vouched || flip == 0x20, "altered at {at}");
            }
        }
    }
}

#[test]
fn a_file_of_another_version_is_refused_as_such() {
    let mut bytes = written();
    bytes["hubshift-table ".len()] = b'3';
    assert!(matches!(decode(&bytes, &seal()), Err(FileError::Format)));
}

#[test]
fn a_file_of_another_concierge_is_whole_and_not_vouched_for() {
    let stranger = Signer::of(PrivateKey::from_seed(&[2; 32]));
    let read = decode(&written(), &stranger.seal()).unwrap();
    assert_eq!(read.snapshot.fleets, table(2049).fleets);
    assert!(!read.is_vouched);
}

#[test]
fn a_file_from_before_the_trusted_keys_changed_is_not_vouched_for() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("signing.pem"), key().to_pem().unwrap()).unwrap();
    let open = || {
        let files = SigningFiles::in_dir(dir.path());
        Signer::open(&files, OffsetDateTime::UNIX_EPOCH).unwrap()
    };
    let is_vouched = || decode(&written(), &open().seal()).unwrap().is_vouched;
    assert!(is_vouched(), "the same key, and no other one");
    let more = PrivateKey::from_seed(&[3; 32]).public();
    let trusted = hubshift_domain::route::KeySet::new([more]);
    let json = trusted.to_json().unwrap().to_string();
    std::fs::write(dir.path().join("trusted.json"), json).unwrap();
    assert!(!is_vouched());
}

#[test]
fn a_table_that_is_not_whole_stays_so() {
    let partial = Snapshot {
        is_loaded: false,
        ..table(2049)
    };
    let bytes = encode(&partial, &seal()).unwrap();
    assert!(!decode(&bytes, &seal()).unwrap().snapshot.is_loaded);
}
