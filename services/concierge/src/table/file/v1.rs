//! Version 1 of the table file, as the release before wrote it: JSON under a checksum. Read only.

use serde::Deserialize;
use time::OffsetDateTime;

use super::super::{FleetEntry, Snapshot};
use super::{FileError, labelled, matches};

pub(super) const FORMAT: &[u8] = b"hubshift-table 1";

#[derive(Deserialize)]
struct Table {
    as_of: OffsetDateTime,
    fleets: Vec<FleetEntry>,
}

/// Reads what stands behind the first line.
pub(super) fn decode(rest: &[u8]) -> Result<Snapshot, FileError> {
    let (sum, body) = labelled(rest, b"sha256 ")?;
    if !matches(sum, body) {
        return Err(FileError::Checksum);
    }
    let table: Table = serde_json::from_slice(body).map_err(FileError::Json)?;
    Ok(Snapshot::from_disk(table.fleets, table.as_of))
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture::entry;
    use super::super::{Loaded, decode};
    use crate::table::fixture::signer;

    /// Written by the release before, with the fleets `acme` and `other` of the fixtures.
    const WRITTEN: &[u8] = include_bytes!("v1.table");

    #[test]
    fn a_table_of_the_release_before_is_read_and_not_vouched_for() {
        let Loaded {
            snapshot,
            is_vouched,
            ..
        } = decode(WRITTEN, &signer().seal()).unwrap();
        assert!(!is_vouched && snapshot.is_loaded);
        assert_eq!(snapshot.as_of.unix_timestamp(), 1_800_000_000);
        assert_eq!(snapshot.fleets.len(), 2);
        for expected in [entry("acme", 2049, 2), entry("other", 1024, 1)] {
            let read = &snapshot.fleets[&expected.fleet_id];
            assert_eq!(read.facts, expected.facts);
            assert_eq!(signer().verify(&read.jws).as_ref(), Ok(&read.claims));
            assert!(read.claims.tells_the_same(&expected.claims));
        }
    }

    #[test]
    fn a_table_of_the_release_before_that_was_altered_is_refused() {
        let seal = signer().seal();
        for at in 0..WRITTEN.len() {
            let mut altered = WRITTEN.to_vec();
            altered[at] ^= 1;
            assert!(decode(&altered, &seal).is_err(), "altered at {at}");
            assert!(decode(&WRITTEN[..at], &seal).is_err(), "cut at {at}");
        }
    }
}
