//! HTTP/2 by hand, and wrong.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::world::{PATH, World, until_closed};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [&head[..], payload].concat()
}

/// The head of `GET {PATH}`, as HPACK without a table: three known pairs, and two literals.
fn get_block() -> Vec<u8> {
    let literal = |index: u8, value: &str| {
        let length = u8::try_from(value.len()).unwrap();
        assert!(length < 127);
        [&[index, length][..], value.as_bytes()].concat()
    };
    // :method GET, :scheme http, :path, :authority
    [
        &[0x82_u8, 0x86][..],
        &literal(0x04, PATH),
        &literal(0x01, "a"),
    ]
    .concat()
}

fn get(stream: u32) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get_block())
}

/// Numbers of streams that a client opens.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

/// A connection of HTTP/2 that has begun well.
async fn connect(world: &World) -> TcpStream {
    let mut stream = world.connect().await;
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    stream.write_all(&begin).await.unwrap();
    stream
}

/// Sends frames to a new connection, again and again, each of which is closed for it.
async fn is_closed_for(world: &World, bytes: &[u8]) {
    for _ in 0..20 {
        let mut stream = connect(world).await;
        // It may close before it has everything.
        let _ = stream.write_all(bytes).await;
        until_closed(&mut stream).await;
    }
}

/// Sends as much as the server takes, and listens to nothing that it says.
async fn flood(world: &World, bytes: &[u8]) -> TcpStream {
    let mut stream = connect(world).await;
    // It may close before it has everything, or stop to read.
    let _ = timeout(Duration::from_secs(2), stream.write_all(bytes)).await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preface_that_is_none() {
    let world = World::plain().await;
    let abuse = async {
        for bad in [
            &b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..],
            b"\0\0\0\0\0\0\0\0\0\r\n\r\n",
        ] {
            let mut stream = world.connect().await;
            stream.write_all(bad).await.unwrap();
            until_closed(&mut stream).await;
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_no_client_may_send() {
    let world = World::plain().await;
    let mut oversized = frame(DATA, 0, 1, &[]);
    oversized[..3].copy_from_slice(&[0xff; 3]);
    let bad = [
        oversized,
        // An index that no table has.
        frame(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &[0xff, 0xff, 0xff, 0x0f],
        ),
        // A window of more than 2^31 - 1.
        frame(WINDOW_UPDATE, 0, 0, &0x7fff_ffff_u32.to_be_bytes()),
        // An even stream is the server's to open.
        get(2),
        // A body for a stream that nobody opened.
        frame(DATA, 0, 101, b"x"),
    ];
    let abuse = async {
        for bytes in &bad {
            is_closed_for(&world, bytes).await;
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_never_ends() {
    let world = World::plain().await;
    let start = frame(HEADERS, END_STREAM, 1, &get_block());
    // A literal that is in no table: "x: y".
    let more = frame(CONTINUATION, 0, 1, &[0, 1, b'x', 1, b'y']).repeat(100_000);
    let bytes = [start, more].concat();
    world.stays_served(is_closed_for(&world, &bytes)).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_that_cost_the_client_little() {
    let world = World::plain().await;
    let settings = frame(SETTINGS, 0, 0, &[]).repeat(200_000);
    let pings = frame(PING, 0, 0, &[0; 8]).repeat(200_000);
    let reset = |stream| frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
    let resets: Vec<u8> = streams(50_000)
        .flat_map(|stream| [get(stream), reset(stream)].concat())
        .collect();
    let floods = [settings, pings, resets];
    let abuse = async {
        for _ in 0..5 {
            for bytes in &floods {
                drop(flood(&world, bytes).await);
            }
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_ask_and_never_read() {
    let world = World::plain().await;
    let asked: Vec<u8> = streams(100_000).flat_map(get).collect();
    let abuse = async {
        let all = (0..10).map(|_| flood(&world, &asked));
        let held = futures::future::join_all(all).await;
        // They are still there, with all that nobody reads.
        world.stays_served(std::future::ready(())).await;
        drop(held);
    };
    world.stays_served(abuse).await;
    world.stop().await;
}
