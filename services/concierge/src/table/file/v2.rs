//! Version 2 of the table file.
//!
//! ```text
//! hubshift-table 2
//! sha256 HEX        of everything behind the third line
//! seal HEX          HMAC-SHA256 of the two lines before, under a secret of this concierge's signing key
//! {"as_of": …}      one line of JSON: when, how many fleets, and the id of the keys that were trusted
//! …                 the fleets, each a record with its length before it
//! ```
//!
//! A signature check takes fifty microseconds: half a second for ten thousand fleets. The seal
//! saves them, and is as strong. A concierge writes nothing that it did not verify (`table`), and
//! the seal's secret follows from its private signing key: whoever can make a seal holds what signs
//! any route, or is this very process. The seal covers the checksum, and so the header with the id
//! of the keys and every byte of every route. It counts only while those are the keys that are
//! trusted: with any other set, or under another signing key, every route is verified as if there
//! were no seal. A file without a seal that fits is not wrong: another concierge may have written
//! it, or this one under another signing key. Of such a file no epoch counts but that of a signed
//! route, and nothing is signed anew (`trust`).

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::super::{FleetEntry, Snapshot};
use super::bytes::{Malformed, Reader, Writer};
use super::{FileError, Loaded, checksum, hex, labelled, line, matches, record, unhex};
use crate::signing::Seal;

pub(super) const FORMAT: &[u8] = b"hubshift-table 2";
/// No record is shorter, bytes.
const SHORTEST: usize = 64;

#[derive(Serialize, Deserialize)]
struct Header {
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    fleets: usize,
    /// Whether a database, or a whole table, ever stood behind it.
    is_loaded: bool,
    /// The id of the set of trusted keys.
    keys: String,
}

/// The file's content.
pub(in crate::table) fn encode(snapshot: &Snapshot, seal: &Seal) -> Result<Vec<u8>, FileError> {
    let mut fleets: Vec<&FleetEntry> = snapshot.fleets.values().map(AsRef::as_ref).collect();
    fleets.sort_by(|a, b| a.fleet_id.cmp(&b.fleet_id));
    let header = Header {
        as_of: snapshot.as_of,
        fleets: fleets.len(),
        is_loaded: snapshot.is_loaded,
        keys: seal.keys().to_owned(),
    };
    let mut body = serde_json::to_vec(&header).map_err(FileError::Json)?;
    body.push(b'\n');
    let mut out = Writer::behind(body);
    for entry in fleets {
        out.nested(|out| record::write(entry, out));
    }
    Ok(closed(&out.into_bytes(), seal))
}

/// The file with this content behind its third line.
pub(super) fn closed(body: &[u8], seal: &Seal) -> Vec<u8> {
    let sealed = sealed(checksum(body).as_bytes());
    let seal = hex(&seal.make(&sealed));
    [sealed.as_slice(), b"seal ", seal.as_bytes(), b"\n", body].concat()
}

/// What is sealed: the first two lines.
fn sealed(sum: &[u8]) -> Vec<u8> {
    [FORMAT, b"\nsha256 ", sum, b"\n"].concat()
}

/// Reads what stands behind the first line.
pub(super) fn decode(rest: &[u8], seal: &Seal) -> Result<Loaded, FileError> {
    let (sum, rest) = labelled(rest, b"sha256 ")?;
    let (mark, body) = labelled(rest, b"seal ")?;
    if !matches(sum, body) {
        return Err(FileError::Checksum);
    }
    let (header, records) = line(body).ok_or(FileError::Checksum)?;
    let header: Header = serde_json::from_slice(header).map_err(FileError::Json)?;
    let fleets = fleets(records, header.fleets).map_err(FileError::Record)?;
    let is_ours = unhex(mark).is_some_and(|mark| seal.fits(&sealed(sum), &mark));
    Ok(Loaded {
        is_vouched: is_ours && header.keys == seal.keys(),
        is_ours,
        snapshot: Snapshot {
            is_loaded: header.is_loaded,
            ..Snapshot::from_disk(fleets, header.as_of)
        },
    })
}

fn fleets(records: &[u8], count: usize) -> Result<Vec<FleetEntry>, Malformed> {
    let mut fleets = Vec::with_capacity(count.min(records.len() / SHORTEST));
    let mut reader = Reader::new(records);
    while !reader.is_empty() {
        fleets.push(record::read(&mut reader.nested()?)?);
    }
    if fleets.len() == count {
        Ok(fleets)
    } else {
        Err(Malformed("number of fleets"))
    }
}
