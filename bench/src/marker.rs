//! The text within a fleet's state by which a stream tells one change from another: the display
//! name, `change-00000042`. It is always as long, so that every change is as many bytes. Pure.

use bytes::{Bytes, BytesMut};

const PREFIX: &[u8] = b"change-";
const DIGITS: usize = 8;

/// The marker of a change.
pub(crate) fn text(change: u32) -> String {
    format!("change-{change:08}")
}

/// Which change a message shows; `None` when it has no marker.
pub(crate) fn find(message: &[u8]) -> Option<u32> {
    let start = position(message)? + PREFIX.len();
    let digits = message.get(start..start + DIGITS)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The message with another marker; `None` when it has none.
pub(crate) fn replace(message: &[u8], change: u32) -> Option<Bytes> {
    let text = text(change);
    let start = position(message)?;
    let mut replaced = BytesMut::from(message);
    replaced
        .get_mut(start..start + text.len())?
        .copy_from_slice(text.as_bytes());
    Some(replaced.freeze())
}

fn position(message: &[u8]) -> Option<usize> {
    message
        .windows(PREFIX.len())
        .position(|window| window == PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_found_wherever_it_stands() {
        let message = [b"\x0a\x05x\xff".as_slice(), text(42).as_bytes(), b"\x12"].concat();
        assert_eq!(find(&message), Some(42));
        assert_eq!(find(b"nothing"), None);
        assert_eq!(find(b"change-12"), None);
    }

    #[test]
    fn another_marker_is_as_long() {
        let message = [b"a".as_slice(), text(0).as_bytes(), b"b"].concat();
        let replaced = replace(&message, 7).unwrap();
        assert_eq!(replaced.len(), message.len());
        assert_eq!(find(&replaced), Some(7));
        assert_eq!(
            (replaced.first(), replaced.last()),
            (Some(&b'a'), Some(&b'b'))
        );
        assert_eq!(replace(b"nothing", 7), None);
    }
}
