//! Who is not let in, and what it is told.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

/// Answers what it may, and refuses what it is to refuse.
fn obedient() -> impl Front {
    AtOnce(|request: &Request<Incoming>, visit: &Visit| {
        if request.uri().path() == "/block" {
            // Not a wait for anything: it is what keeps the loop from its work.
            std::thread::sleep(Duration::from_millis(300));
            return text(200, "blocked");
        }
        match visit.refusal() {
            Some(refusal) => text(429, refusal.reason),
            None => text(200, "served"),
        }
    })
}

/// A connection that has its answer, and stays.
async fn kept(addr: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        .await
        .unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    stream
}

/// Everything that a connection is told without having been asked.
async fn told(addr: SocketAddr) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

#[tokio::test]
async fn a_connection_too_many_is_told_when_to_come_back_and_its_place_is_free_again() {
    let limits = Limits {
        max_connections: 2,
        ..Limits::default()
    };
    let server = Running::start(obedient(), limits);
    let (first, second) = (kept(server.addr).await, kept(server.addr).await);
    let refused = told(server.addr).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");
    assert!(refused.contains("connection: close"), "{refused}");
    assert!(refused.contains("OVERLOADED"), "{refused}");

    drop(first);
    let again = async {
        // What comes before the request was sent, a client may take for an error.
        let served = async || {
            let answer = one().get(server.url("/")).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        };
        while !served().await {}
    };
    tokio::time::timeout(LONG, again).await.unwrap();
    drop(second);
    server.finish().await;
}

#[tokio::test]
async fn one_client_can_not_have_all_connections() {
    let limits = Limits {
        max_connections_per_client: 1,
        trusted: Vec::new(),
        ..Limits::default()
    };
    let server = Running::start(obedient(), limits);
    let first = kept(server.addr).await;
    let refused = told(server.addr).await;
    assert!(refused.starts_with("HTTP/1.1 429 "), "{refused}");
    assert!(refused.contains("CLIENT_TOO_FAST"), "{refused}");
    drop(first);
    server.finish().await;
}

async fn statuses(client: &Client, url: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        let answer = client.get(url).send().await.unwrap();
        statuses.push(answer.status().as_u16());
    }
    statuses
}

#[tokio::test]
async fn a_client_that_asks_too_fast_is_refused_and_a_trusted_one_is_not() {
    for (trusted, refused) in [(Vec::new(), true), (Limits::default().trusted, false)] {
        let limits = Limits {
            requests_per_second_per_client: 1,
            burst_per_client: 3,
            trusted,
            ..Limits::default()
        };
        let server = Running::start(obedient(), limits);
        let statuses = statuses(&one(), &server.url("/"), 20).await;
        assert_eq!(statuses[..3], [200, 200, 200]);
        assert_eq!(statuses.contains(&429), refused, "{statuses:?}");
        server.finish().await;
    }
}

#[tokio::test]
async fn a_thread_that_lags_refuses_a_share_until_it_is_in_time_again() {
    let limits = Limits {
        shed_lag: Duration::from_millis(50),
        ..Limits::default()
    };
    let server = Running::start(obedient(), limits);
    let (client, url) = (one(), server.url("/"));
    assert_eq!(statuses(&client, &url, 50).await, [200; 50]);
    let shed = async {
        loop {
            get(&client, &server.url("/block")).await;
            if statuses(&client, &url, 50).await.contains(&429) {
                break;
            }
        }
    };
    tokio::time::timeout(LONG, shed).await.unwrap();
    let over = async { while statuses(&client, &url, 50).await.contains(&429) {} };
    tokio::time::timeout(LONG, over).await.unwrap();
    server.finish().await;
}
