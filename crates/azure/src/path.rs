//! Percent encoding, one path segment at a time.
//!
//! Ids may hold `%`, `?` and `#`, so a path is split at its slashes first and decoded after.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The text as one path segment (or query value). `+` becomes `%2B`, a space `%20`.
pub fn encode_segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The text of one segment. Nothing if it is not UTF-8. A `+` stays a plus.
pub fn decode_segment(text: &str) -> Option<String> {
    percent_decode_str(text)
        .decode_utf8()
        .ok()
        .map(|decoded| decoded.into_owned())
}

/// The decoded segments of a path, without the empty one that a trailing slash makes.
pub fn split(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_suffix('/').unwrap_or(path);
    path.split('/').map(decode_segment).collect()
}

/// Whether clients can put the text into a path at all. They remove `.` and `..`, encoded or not.
pub fn is_addressable(segment: &str) -> bool {
    !matches!(segment, "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_split_before_they_are_decoded() {
        let expected = vec!["devices".to_owned(), "py dev/1#".to_owned()];
        assert_eq!(split("/devices/py%20dev%2F1%23"), Some(expected));
    }

    #[test]
    fn a_trailing_slash_makes_no_segment() {
        assert_eq!(split("/devices/"), Some(vec!["devices".to_owned()]));
    }

    #[test]
    fn plus_is_not_a_space_and_percent_survives_the_round_trip() {
        let id = "a+b%2F c";
        assert_eq!(encode_segment(id), "a%2Bb%252F%20c");
        assert_eq!(decode_segment(&encode_segment(id)).as_deref(), Some(id));
        assert_eq!(decode_segment("a+b").as_deref(), Some("a+b"));
    }

    #[test]
    fn bytes_that_are_not_utf8_are_refused() {
        assert_eq!(split("/devices/%FF"), None);
    }
}
