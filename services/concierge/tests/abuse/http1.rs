//! HTTP/1.1 that is too slow or too big.

use std::time::Duration;

use futures::future::join_all;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use crate::world::{PATH, PATIENCE, World, until_closed};

const MEGABYTE: usize = 1024 * 1024;

/// Sends the head of a request, a byte a second, until the server has had enough.
async fn dribble(mut stream: TcpStream) {
    let head = format!(
        "GET {PATH} HTTP/1.1\r\nhost: a\r\nx-slow: {}",
        "x".repeat(1_000)
    );
    // Not a wait for anything: so slow is this client.
    let mut pace = interval(Duration::from_secs(1));
    let mut scratch = [0; 256];
    for byte in head.as_bytes().chunks(1) {
        tokio::select! {
            _ = pace.tick() => {
                if stream.write_all(byte).await.is_err() {
                    return;
                }
            }
            read = stream.read(&mut scratch) => {
                if !matches!(read, Ok(1..)) {
                    return;
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_come_a_byte_a_second() {
    let world = World::plain().await;
    let abuse = async {
        let mut streams = Vec::new();
        for _ in 0..500 {
            streams.push(world.connect().await);
        }
        let closed = timeout(PATIENCE, join_all(streams.into_iter().map(dribble))).await;
        assert!(closed.is_ok(), "slow heads are waited for");
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

/// Sends as much as the server takes, and returns what it says.
async fn send_all(world: &World, parts: &[&[u8]]) -> String {
    let mut stream = world.connect().await;
    for part in parts {
        // It may close before it has everything.
        if stream.write_all(part).await.is_err() {
            break;
        }
    }
    String::from_utf8_lossy(&until_closed(&mut stream).await).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_a_megabyte() {
    let world = World::plain().await;
    let start = format!("GET {PATH} HTTP/1.1\r\nhost: a\r\nx-big: ");
    let big = vec![b'x'; MEGABYTE];
    let abuse = async {
        for _ in 0..20 {
            let answer = send_all(&world, &[start.as_bytes(), &big, b"\r\n\r\n"]).await;
            // Bytes that were not read when it closed may take the answer back.
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
                "{answer}"
            );
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_headers_than_anybody_has() {
    let world = World::plain().await;
    let start = format!("GET {PATH} HTTP/1.1\r\nhost: a\r\n");
    let many = "x: y\r\n".repeat(1_000);
    let abuse = async {
        for _ in 0..20 {
            let answer = send_all(&world, &[start.as_bytes(), many.as_bytes(), b"\r\n"]).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
                "{answer}"
            );
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_of_many_megabytes() {
    let world = World::plain().await;
    let path = "/v1/fleets/acme/route";
    let announced = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        64 * MEGABYTE
    );
    let chunked = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
         4000000\r\n"
    );
    let big = vec![b'x'; 64 * MEGABYTE];
    let abuse = async {
        for head in [&announced, &chunked] {
            let answer = send_all(&world, &[head.as_bytes(), &big]).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
                "{answer}"
            );
        }
    };
    world.stays_served(abuse).await;
    world.stop().await;
}
