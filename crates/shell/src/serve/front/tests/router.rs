//! A router behind a front: panics, streams, cancellation, deadlines, and the end.

use std::sync::Mutex;

use axum::Router;
use axum::body::Body as AxumBody;
use axum::extract::Extension;
use axum::routing::{get as on_get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::*;

fn front(router: Router) -> RouterFront {
    RouterFront::new(router, Handle::current())
}

#[tokio::test]
async fn a_handler_knows_its_peer() {
    let handler = |Extension(peer): Extension<Peer>| async move { peer.addr.ip().to_string() };
    let router = Router::new().route("/", on_get(handler));
    let server = Running::start(front(router), Limits::default());
    assert_eq!(get(&one(), &server.url("/")).await, "127.0.0.1");
    assert_eq!(get(&two(), &server.url("/")).await, "127.0.0.1");
    server.finish().await;
}

async fn panics() -> &'static str {
    panic!("on purpose")
}

#[tokio::test]
async fn a_handler_that_panics_is_answered_and_the_connection_goes_on() {
    let router = Router::new().route("/panic", on_get(panics).post(panics));
    let server = Running::start(front(router), Limits::default());
    for client in [one(), two()] {
        let answer = client.get(server.url("/panic")).send().await.unwrap();
        assert_eq!(answer.status(), 500);
        let text = answer.text().await.unwrap();
        assert!(text.contains("INTERNAL") && !text.contains("on purpose"));
        let grpc = client.post(server.url("/panic"));
        let grpc = grpc.header("content-type", "application/grpc");
        let answer = grpc.send().await.unwrap();
        assert_eq!(answer.headers().get("grpc-status").unwrap(), "13");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_refusal_is_of_its_callers_kind() {
    let router = Router::new().route("/", on_get(|| async { "served" }));
    let limits = Limits {
        requests_per_second_per_client: 1,
        burst_per_client: 1,
        trusted: Vec::new(),
        ..Limits::default()
    };
    let server = Running::start(front(router), limits);
    let client = two();
    assert_eq!(get(&client, &server.url("/")).await, "served");
    let refused = async {
        loop {
            let grpc = client.post(server.url("/a.B/C"));
            let grpc = grpc.header("content-type", "application/grpc");
            let answer = grpc.send().await.unwrap();
            if let Some(status) = answer.headers().get("grpc-status") {
                return (answer.status(), status.clone());
            }
        }
    };
    let (http, grpc) = tokio::time::timeout(LONG, refused).await.unwrap();
    assert_eq!((http.as_u16(), grpc.to_str().unwrap()), (200, "8"));
    server.finish().await;
}

#[tokio::test]
async fn a_refusal_of_head_has_no_body() {
    let router = Router::new().route("/", on_get(|| async { "served" }));
    let limits = Limits {
        requests_per_second_per_client: 1,
        burst_per_client: 1,
        trusted: Vec::new(),
        ..Limits::default()
    };
    let server = Running::start(front(router), limits);
    for client in [one(), two()] {
        let refused = async {
            loop {
                let answer = client.head(server.url("/")).send().await.unwrap();
                if answer.status() == 429 {
                    return answer;
                }
            }
        };
        let refused = tokio::time::timeout(LONG, refused).await.unwrap();
        assert!(refused.headers().contains_key("retry-after"));
        assert!(refused.bytes().await.unwrap().is_empty());
    }
    server.finish().await;
}

#[tokio::test]
async fn a_stream_is_passed_on_piece_by_piece() {
    let (send, receive) = mpsc::unbounded_channel::<Bytes>();
    let receive = Arc::new(Mutex::new(Some(receive)));
    let handler = move || {
        let receive = receive.lock().unwrap().take().unwrap();
        let pieces = futures::stream::unfold(receive, |mut receive| async move {
            let piece = receive.recv().await?;
            Some((Ok::<_, std::io::Error>(piece), receive))
        });
        std::future::ready(AxumBody::from_stream(pieces))
    };
    let router = Router::new().route("/", on_get(handler));
    let server = Running::start(front(router), Limits::default());
    let mut answer = two().get(server.url("/")).send().await.unwrap();
    for piece in ["first", "second"] {
        send.send(Bytes::from_static(piece.as_bytes())).unwrap();
        assert_eq!(answer.chunk().await.unwrap().unwrap(), piece);
    }
    drop(send);
    assert!(answer.bytes().await.unwrap().is_empty());
    server.finish().await;
}

/// Says when a handler has begun and, by being dropped, when it is over.
struct Gates {
    entered: Option<oneshot::Sender<()>>,
    _left: oneshot::Sender<()>,
}

/// A handler that never answers, once; what hears of its begin and of its end.
fn endless() -> (Router, oneshot::Receiver<()>, oneshot::Receiver<()>) {
    let (entered, inside) = oneshot::channel();
    let (left, outside) = oneshot::channel();
    let gates = Gates {
        entered: Some(entered),
        _left: left,
    };
    let gates = Arc::new(Mutex::new(Some(gates)));
    let handler = move || {
        let mut gates = gates.lock().unwrap().take().unwrap();
        async move {
            gates.entered.take().unwrap().send(()).unwrap();
            std::future::pending::<()>().await;
            drop(gates);
        }
    };
    (Router::new().route("/", on_get(handler)), inside, outside)
}

#[tokio::test]
async fn a_handler_ends_when_its_client_is_gone() {
    for client in [one(), two()] {
        let (router, inside, outside) = endless();
        let server = Running::start(front(router), Limits::default());
        let asking = tokio::spawn(client.get(server.url("/")).send());
        inside.await.unwrap();
        asking.abort();
        assert!(asking.await.unwrap_err().is_cancelled());
        drop(client);
        let ended = tokio::time::timeout(LONG, outside).await;
        assert!(ended.unwrap().is_err(), "nobody sends on it");
        server.finish().await;
    }
}

#[tokio::test]
async fn a_request_in_flight_is_answered_after_shutdown_began() {
    let (entered, inside) = oneshot::channel::<()>();
    let (release, released) = oneshot::channel::<()>();
    let gates = Arc::new(Mutex::new(Some((entered, released))));
    let handler = move || async move {
        let (entered, released) = gates.lock().unwrap().take().unwrap();
        entered.send(()).unwrap();
        released.await.unwrap();
        "finished"
    };
    let router = Router::new().route("/", on_get(handler));
    let server = Running::start(front(router), Limits::default());
    let url = server.url("/");
    let request = tokio::spawn(async move { get(&one(), &url).await });
    inside.await.unwrap();
    server.stop.cancel();
    release.send(()).unwrap();
    assert_eq!(request.await.unwrap(), "finished");
    server.finish().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_after_the_grace_period() {
    let (router, inside, outside) = endless();
    let grace = Duration::from_millis(20);
    let server = Running::start_with(front(router), None, grace, 1, Limits::default());
    let asking = tokio::spawn(two().get(server.url("/")).send());
    inside.await.unwrap();
    server.finish().await;
    assert!(asking.await.unwrap().is_err());
    assert!(outside.await.is_err(), "nobody sends on it");
}

#[tokio::test]
async fn a_body_that_dribbles_is_given_up() {
    let router = Router::new().route("/", post(|body: String| async move { body }));
    let front = front(router).body_deadline(Duration::from_millis(50));
    let server = Running::start(front, Limits::default());
    let whole = one().post(server.url("/")).body("whole");
    let answer = whole.send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "whole");

    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nx";
    stream.write_all(head).await.unwrap();
    let mut answer = [0; 10];
    let given_up = tokio::time::timeout(LONG, stream.read_exact(&mut answer)).await;
    given_up.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 4");
    server.finish().await;
}
