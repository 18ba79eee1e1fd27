//! A connection of HTTP/2 that is in order, and then the input. Its first byte says what it is:
//!
//! ```text
//! 0  frames, behind the headers of a GetEndpoint whose message has not come yet
//! 1  the message of a GetEndpoint
//! 2  the body of a GetEndpoint: messages with their heads
//! 3  frames, behind nothing but the greeting
//! ```
//!
//! Checked: as for HTTP, and that a call whose body is whole gets an answer; the message is read as
//! prost reads it.

use hubshift_concierge::fuzz;

use crate::{frames, stays_in_proportion};

/// The stream of the call.
const STREAM: u32 = 1;
/// No more is sent than a stream takes unasked.
const LONGEST: usize = 60_000;
/// Headers of a response.
const HEADERS: u8 = 1;

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    let rest = &rest[..rest.len().min(LONGEST)];
    match kind % 4 {
        0 => drop(exchange([frames::call(STREAM), rest.to_vec()].concat())),
        1 => {
            fuzz::poll(rest);
            answered(&message(rest));
        }
        2 => answered(rest),
        _ => drop(exchange(rest.to_vec())),
    }
}

/// Sends these frames behind the greeting; returns the frames that came back.
fn exchange(frames: Vec<u8>) -> Vec<frames::Frame> {
    let sent = [frames::greeting(), frames].concat();
    let written = fuzz::connection(&sent);
    stays_in_proportion(&sent, &written);
    frames::read(&written)
}

/// A call with this body has an answer.
fn answered(body: &[u8]) {
    let call = [frames::call(STREAM), frames::body(STREAM, body)].concat();
    let answer = exchange(call);
    let is_answer = |frame: &frames::Frame| (frame.kind, frame.stream) == (HEADERS, STREAM);
    assert!(answer.iter().any(is_answer), "no answer: {answer:?}");
}

/// A message with its head: not compressed, so long.
fn message(bytes: &[u8]) -> Vec<u8> {
    // At most LONGEST.
    let length = (bytes.len() as u32).to_be_bytes();
    [&[0][..], &length[..], bytes].concat()
}
