//! As much of HTTP/2 as a client needs that opens streams once and then counts messages: it writes
//! heads without compression and never reads one. A client of tens of thousands of streams that
//! did more per message than the server would measure itself. Pure.

/// What a client says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, kind, flags, stream.
pub(super) const HEAD: usize = 9;

/// Bytes of a body.
pub(super) const DATA: u8 = 0;
/// A head, or trailers.
pub(super) const HEADERS: u8 = 1;
/// A stream is given up.
pub(super) const RST_STREAM: u8 = 3;
/// What one side allows the other.
pub(super) const SETTINGS: u8 = 4;
/// Are you there?
pub(super) const PING: u8 = 6;
/// The connection is given up.
pub(super) const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

/// Answers SETTINGS or PING.
pub(super) const ACK: u8 = 1;
/// The stream's last frame.
pub(super) const END_STREAM: u8 = 1;
/// There are bytes that mean nothing.
pub(super) const PADDED: u8 = 8;
const END_HEADERS: u8 = 4;

const MAX_CONCURRENT_STREAMS: u16 = 3;
const INITIAL_WINDOW_SIZE: u16 = 4;
/// No window is larger.
const WINDOW: u32 = (1 << 31) - 1;
/// What a connection's window is at first.
const FIRST_WINDOW: u32 = 65_535;

/// How a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Bytes that follow.
    pub(super) length: usize,
    /// What it is.
    pub(super) kind: u8,
    /// What else is to be known.
    pub(super) flags: u8,
    /// Which stream; 0 for the connection.
    pub(super) stream: u32,
}

/// Reads a frame's head; `None` when it is not all there.
pub(super) fn head(bytes: &[u8]) -> Option<Head> {
    let [a, b, c, kind, flags, s0, s1, s2, s3] = *bytes.first_chunk::<HEAD>()?;
    let length = u32::from_be_bytes([0, a, b, c]);
    Some(Head {
        length: usize::try_from(length).ok()?,
        kind,
        flags,
        stream: u32::from_be_bytes([s0, s1, s2, s3]) & WINDOW,
    })
}

/// Writes a frame. A payload is far below the 16 KiB that every server takes.
pub(super) fn put(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes()[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Opens the connection: the server may send as much as it likes.
pub(super) fn open(out: &mut Vec<u8>) {
    out.extend_from_slice(PREFACE);
    let mut settings = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
    settings.extend_from_slice(&WINDOW.to_be_bytes());
    put(out, SETTINGS, 0, 0, &settings);
    let more = WINDOW - FIRST_WINDOW;
    put(out, WINDOW_UPDATE, 0, 0, &more.to_be_bytes());
}

/// Calls a method with one message and nothing more.
pub(super) fn call(out: &mut Vec<u8>, stream: u32, head: &[u8], framed: &[u8]) {
    put(out, HEADERS, END_HEADERS, stream, head);
    put(out, DATA, END_STREAM, stream, framed);
}

/// The head of a gRPC call: fields with their names, in no table and not compressed.
pub(super) fn call_head(authority: &str, path: &str) -> Vec<u8> {
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", authority),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let mut head = Vec::new();
    for (name, value) in fields {
        head.push(0);
        text(&mut head, name);
        text(&mut head, value);
    }
    head
}

/// A string of at most 126 bytes, as all of ours are: longer ones would need a longer length.
fn text(out: &mut Vec<u8>, text: &str) {
    let text = &text.as_bytes()[..text.len().min(126)];
    out.push(u8::try_from(text.len()).unwrap_or(126));
    out.extend_from_slice(text);
}

/// How many streams a server's settings allow; `None` when they do not say.
pub(super) fn allowed_streams(settings: &[u8]) -> Option<u32> {
    let mut allowed = settings.as_chunks::<6>().0.iter().filter_map(|setting| {
        let [k0, k1, v0, v1, v2, v3] = *setting;
        let key = u16::from_be_bytes([k0, k1]);
        (key == MAX_CONCURRENT_STREAMS).then(|| u32::from_be_bytes([v0, v1, v2, v3]))
    });
    allowed.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_read_as_it_was_written() {
        let mut out = Vec::new();
        put(&mut out, DATA, END_STREAM, 7, b"abc");
        assert_eq!(out, b"\0\0\x03\0\x01\0\0\0\x07abc");
        let expected = Head {
            length: 3,
            kind: DATA,
            flags: END_STREAM,
            stream: 7,
        };
        assert_eq!(head(&out), Some(expected));
        assert_eq!(head(&out[..8]), None);
    }

    #[test]
    fn a_head_names_each_field_in_full() {
        let head = call_head("h:1", "/p");
        assert!(head.starts_with(b"\0\x07:method\x04POST\0\x07:scheme\x04http\0\x05:path\x02/p"));
        assert!(head.ends_with(b"\0\x02te\x08trailers"));
    }

    #[test]
    fn a_server_says_how_many_streams_it_allows() {
        let settings = b"\0\x04\0\0\xff\xff\0\x03\0\0\0\xc8";
        assert_eq!(allowed_streams(settings), Some(200));
        assert_eq!(allowed_streams(b"\0\x04\0\0\xff\xff"), None);
    }
}
