//! Frames of HTTP/2 (RFC 9113): those of one call by hand, and those that come back.

/// What a connection of HTTP/2 begins with.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length, kind, flags and stream.
const HEAD: usize = 9;
/// The longest payload that everybody takes.
const LONGEST: usize = 16_384;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const CALL: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (
        ":path",
        "/hubshift.concierge.v1.EndpointService/GetEndpoint",
    ),
    (":authority", "concierge"),
    ("content-type", "application/grpc"),
    ("te", "trailers"),
];

/// A frame that came back, without its payload.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
}

/// The preface, and settings as they are.
pub(crate) fn greeting() -> Vec<u8> {
    [PREFACE.to_vec(), frame(SETTINGS, 0, 0, &[])].concat()
}

/// The headers of a GetEndpoint, each literally and not indexed (RFC 7541, 6.2.2).
pub(crate) fn call(stream: u32) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in CALL {
        block.push(0);
        for text in [name, value] {
            // All of them are shorter than 127, so that one byte is enough.
            block.push(text.len() as u8);
            block.extend_from_slice(text.as_bytes());
        }
    }
    frame(HEADERS, END_HEADERS, stream, &block)
}

/// A body, and the stream's end.
pub(crate) fn body(stream: u32, bytes: &[u8]) -> Vec<u8> {
    let mut frames = Vec::new();
    for piece in bytes.chunks(LONGEST) {
        frames.extend(frame(DATA, 0, stream, piece));
    }
    frames.extend(frame(DATA, END_STREAM, stream, &[]));
    frames
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    let stream = stream.to_be_bytes();
    [&length[1..], &[kind, flags][..], &stream[..], payload].concat()
}

/// The frames of what came back, which holds nothing but whole ones.
pub(crate) fn read(mut written: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some((head, rest)) = written.split_first_chunk::<HEAD>() {
        let [a, b, c, kind, _, s, t, u, v] = *head;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        assert!(length <= rest.len(), "a frame is cut: {head:?}");
        written = &rest[length..];
        let stream = u32::from_be_bytes([s, t, u, v]);
        frames.push(Frame { kind, stream });
    }
    assert!(written.is_empty(), "a frame's head is cut: {written:?}");
    frames
}
