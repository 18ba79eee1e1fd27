//! Table files made of fuzzed content: whatever stands before the content is right, so that what
//! reads it is reached.

use super::bytes::Writer;
use super::{checksum, v1, v2};
use crate::signing::Seal;

/// When the files are of.
const AS_OF: &str = "2027-01-15T08:00:00Z";

/// What the content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// The whole file.
    File,
    /// The header of version 2 and its records, under a right checksum and seal.
    Body,
    /// One record, under a right header too.
    Record,
    /// What stands in a record behind a route.
    Facts,
    /// The JSON of version 1, under a right checksum.
    Json,
}

/// The file; `jws` is the route before facts.
pub(in crate::table) fn file(content: Content, bytes: &[u8], jws: &str, seal: &Seal) -> Vec<u8> {
    match content {
        Content::File => bytes.to_vec(),
        Content::Body => v2::closed(bytes, seal),
        Content::Record => record(seal, |out| out.raw(bytes)),
        Content::Facts => record(seal, |out| {
            out.text(jws);
            out.raw(bytes);
        }),
        Content::Json => {
            let sum = checksum(bytes);
            [v1::FORMAT, b"\nsha256 ", sum.as_bytes(), b"\n", bytes].concat()
        }
    }
}

fn record(seal: &Seal, write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let keys = seal.keys();
    let header =
        format!("{{\"as_of\":\"{AS_OF}\",\"fleets\":1,\"is_loaded\":true,\"keys\":\"{keys}\"}}\n");
    let mut out = Writer::behind(header.into_bytes());
    out.nested(write);
    v2::closed(&out.into_bytes(), seal)
}
