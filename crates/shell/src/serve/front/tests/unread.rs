//! Answers that a client of HTTP/2 does not read.

use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::Notify;
use tokio::task::{LocalSet, yield_now};

use super::super::connection::{Connection, http};
use super::super::line::SWEEP_PARTS;
use super::*;

/// `GET /` from a client whose streams take no byte.
const ASKED: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
    \0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\0\
    \0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x01\x01a";

/// Serves that client until its answer waits for it.
async fn unread(address: &str) -> (Rc<Desk>, DuplexStream) {
    let addr: SocketAddr = address.parse().unwrap();
    let shared = Arc::new(Shared::new("tested", Limits::default()));
    let desk = Rc::new(Desk::new(shared, 0));
    let seat = desk.admit(addr).ok().unwrap();
    let (mut client, server) = duplex(64 * 1024);
    client.write_all(ASKED).await.unwrap();
    let asked = Arc::new(Notify::new());
    let tell = Arc::clone(&asked);
    let front = AtOnce(move |_: &Request<Incoming>, _: &Visit| {
        tell.notify_one();
        text(200, "x".repeat(100_000))
    });
    let connection = Connection {
        front,
        http: Rc::new(http()),
        addr,
        seat,
    };
    connection.serve(server, Peer::plain(addr));
    let asked = tokio::time::timeout(LONG, asked.notified()).await;
    asked.unwrap();
    // One thread has it all: what is ready now has run then.
    for _ in 0..100 {
        yield_now().await;
    }
    (desk, client)
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_the_connection_of_a_client_that_is_not_trusted() {
    let test = async {
        for (address, is_closed) in [("192.0.2.1:1", true), ("127.0.0.1:1", false)] {
            let (desk, client) = unread(address).await;
            let mut closed = 0;
            (0..100 * SWEEP_PARTS).for_each(|_| desk.lines.sweep(|_| closed += 1));
            assert_eq!(closed > 0, is_closed, "{address}");
            if is_closed {
                let empty = tokio::time::timeout(LONG, desk.lines.empty()).await;
                empty.unwrap();
            }
            drop(client);
        }
    };
    LocalSet::new().run_until(test).await;
}
