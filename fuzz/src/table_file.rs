//! The first byte says what the rest is: a whole table file, or content of one, with everything that
//! guards it made right. See [`Content`].
//!
//! Checked: no file makes the reader panic; a file that is read can be answered from, by JSON and
//! protobuf alike, and reads back equal when it is written again.

use hubshift_concierge::fuzz::{self, Content};

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let content = match kind % 5 {
        0 => Content::File,
        1 => Content::Body,
        2 => Content::Record,
        3 => Content::Facts,
        _ => Content::Json,
    };
    fuzz::table_file(content, rest);
}
