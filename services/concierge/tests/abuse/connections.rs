//! Many connections that cost the server something and are good for nothing.

use futures::future::join_all;
use rustix::process::{Resource, getrlimit};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::world::{World, until_closed};

const WANTED: usize = 10_000;

/// How many connections this process can have both ends of.
fn as_many_as_fit() -> usize {
    // The concierge has raised it as far as it goes, and keeps an eighth for other things.
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let fit = usize::try_from(files / 8 * 3).unwrap_or(usize::MAX);
    if fit < WANTED {
        eprintln!("{fit} half-open connections instead of {WANTED}: {files} files may be open");
    }
    WANTED.min(fit)
}

/// Opens so many, each with these bytes and no more.
async fn half_open(world: &World, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut open = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = world.connect().await;
        stream.write_all(bytes).await.unwrap();
        open.push(stream);
    }
    open
}

async fn all_closed(mut open: Vec<TcpStream>) {
    join_all(open.iter_mut().map(until_closed)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_say_nothing() {
    let world = World::plain().await;
    let count = as_many_as_fit();
    let abuse = async { all_closed(half_open(&world, count, b"").await).await };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_with_half_of_a_handshake() {
    // A record of 512 bytes with a ClientHello of 508, of which the first few are sent.
    let hello = [&[0x16_u8, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[7; 100]].concat();
    let world = World::tls().await;
    let count = as_many_as_fit();
    let abuse = async { all_closed(half_open(&world, count, &hello).await).await };
    world.stays_served(abuse).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_with_half_of_the_preface() {
    let world = World::plain().await;
    let abuse = async { all_closed(half_open(&world, 500, b"PRI * HTTP/2").await).await };
    world.stays_served(abuse).await;
    world.stop().await;
}
