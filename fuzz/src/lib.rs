//! What strangers can send, thrown at the code that reads it. Each target is a function of bytes that
//! panics when something is wrong; libFuzzer looks for bytes that make it.
//!
//! Run by `cargo xtask fuzz`, which builds everything with coverage and with `--cfg fuzzing`: what is
//! not public is there in such builds alone.
#![forbid(unsafe_code)]

pub mod grpc_front;
pub mod http_front;
pub mod signed_documents;
pub mod table_file;

mod claims;
mod device;
mod frames;
mod jws;
mod responses;

/// What an answer may be larger than its request by: the smallest request, a header block of a few
/// indexed fields, is answered by a whole route.
const LARGEST_FACTOR: usize = 1024;
/// What a connection may be told beside that.
const LARGEST_GREETING: usize = 64 * 1024;

/// Nobody makes the front send, or hold, much more than he sends.
fn stays_in_proportion(sent: &[u8], written: &[u8]) {
    let most = LARGEST_GREETING + LARGEST_FACTOR * sent.len();
    let (sent, written) = (sent.len(), written.len());
    assert!(written <= most, "{written} bytes for {sent}");
}
