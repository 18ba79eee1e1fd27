//! What comes back on a connection of HTTP/1: responses, one after the other, each of them whole.

use httparse::{Header, Response, Status};

/// More headers than any response has.
const HEADERS: usize = 64;
/// A response's first letters; no body of ours begins like it.
const BEGINS: &[u8] = b"HTTP/1.";

/// How the end of a body is found.
enum Framing {
    Length(usize),
    Chunks,
    /// It ends with the connection.
    Close,
}

/// Every response parses, up to the last byte.
pub(crate) fn check(mut written: &[u8]) {
    while !written.is_empty() {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS];
        let mut response = Response::new(&mut headers);
        let parsed = response.parse(written);
        let Ok(Status::Complete(length)) = parsed else {
            panic!("no response ({parsed:?}): {}", shown(written));
        };
        let code = response.code.unwrap_or_default();
        assert!((100..600).contains(&code), "status {code}");
        let framing = framing(response.headers);
        written = behind_body(&written[length..], code, &framing);
    }
}

fn framing(headers: &[Header<'_>]) -> Framing {
    let value = |name: &str| {
        let mut named = headers
            .iter()
            .filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = named.next().map(|header| header.value);
        assert!(named.next().is_none(), "{name} comes twice");
        value
    };
    let length = value("content-length").map(|value| {
        let text = std::str::from_utf8(value).unwrap_or_default();
        text.parse().expect("a length is a number")
    });
    match (length, value("transfer-encoding")) {
        (Some(length), None) => Framing::Length(length),
        (None, Some(_)) => Framing::Chunks,
        (None, None) => Framing::Close,
        (Some(_), Some(_)) => panic!("a length and chunks"),
    }
}

/// What follows the body. A response to HEAD has none, whatever its headers say.
fn behind_body<'a>(rest: &'a [u8], code: u16, framing: &Framing) -> &'a [u8] {
    let has_none = code < 200 || code == 204 || code == 304;
    if has_none || rest.is_empty() || rest.starts_with(BEGINS) {
        return rest;
    }
    match framing {
        Framing::Length(length) => rest.get(*length..).expect("a body is cut"),
        Framing::Chunks => behind_chunks(rest),
        Framing::Close => &[],
    }
}

/// A stream that its client left ends behind any chunk.
fn behind_chunks(mut rest: &[u8]) -> &[u8] {
    while !rest.is_empty() {
        let (size, chunk) = line(rest);
        let size = std::str::from_utf8(size).unwrap_or_default();
        let size = usize::from_str_radix(size, 16).expect("a chunk has a size");
        if size == 0 {
            return behind_trailers(chunk);
        }
        let (_, end) = chunk.split_at_checked(size).expect("a chunk is cut");
        rest = end.strip_prefix(b"\r\n").expect("a chunk has an end");
    }
    rest
}

fn behind_trailers(mut rest: &[u8]) -> &[u8] {
    loop {
        let (trailer, behind) = line(rest);
        rest = behind;
        if trailer.is_empty() {
            return rest;
        }
    }
}

/// The first line without its end, and the rest.
fn line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let at = bytes.windows(2).position(|two| two == b"\r\n");
    let at = at.expect("a line has an end");
    (&bytes[..at], &bytes[at + 2..])
}

fn shown(bytes: &[u8]) -> String {
    let some = &bytes[..bytes.len().min(400)];
    String::from_utf8_lossy(some).escape_debug().to_string()
}
