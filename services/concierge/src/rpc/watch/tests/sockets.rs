//! Watchers over real connections: many of them, and beside them some that do not read.

use std::net::SocketAddr;

use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_shell::{GrpcServer, Health};
use hubshift_testkit::eventually;
use prost::Message as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tonic::Streaming;
use tonic::transport::{Channel, Endpoint};

use super::*;

/// Who does not read is found out soon.
const QUICK: Pace = Pace {
    heartbeat: Duration::from_millis(640),
    slow: Duration::from_millis(500),
};

type Client = FleetServiceClient<Channel>;
type Watch = Streaming<WatchFleetResponse>;

/// The operator listener's watch on a port.
struct Server {
    world: World,
    addr: SocketAddr,
    done: JoinHandle<std::io::Result<()>>,
}

impl Server {
    async fn start(pace: Pace) -> Self {
        let world = World::paced(pace).await;
        let listener = hubshift_shell::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = GrpcServer::new(Health::new()).route(PATH, method(world.watchers.clone()));
        let closing = world.closing.clone();
        let served = hubshift_shell::serve(listener, server.into_router(), None, closing);
        let done = tokio::spawn(served);
        Self { world, addr, done }
    }

    fn endpoint(&self) -> Endpoint {
        Channel::from_shared(format!("http://{}", self.addr)).unwrap()
    }

    fn client(&self) -> Client {
        Client::new(self.endpoint().connect_lazy())
    }

    /// A client of whose streams each takes two states at most before it is read.
    fn narrow_client(&self) -> Client {
        let length = message(&mut self.world.body()).len() as u32;
        let endpoint = self.endpoint().initial_stream_window_size(length * 5 / 2);
        Client::new(endpoint.connect_lazy())
    }

    async fn until_watching(&self, count: usize) -> bool {
        eventually(PATIENCE, || async { self.world.watching() == count }).await
    }

    async fn finish(self) {
        self.world.closing.cancel();
        self.done.await.unwrap().unwrap();
    }
}

/// Watches, and takes the first state.
async fn watch(client: &Client) -> Watch {
    let opened = client.clone().watch_fleet(asking(0, 0)).await;
    let mut stream = opened.unwrap().into_inner();
    version(&mut stream).await;
    stream
}

async fn watch_all(client: &Client, count: usize) -> Vec<Watch> {
    join_all((0..count).map(|_| watch(client))).await
}

async fn received(stream: &mut Watch) -> WatchFleetResponse {
    let waited = tokio::time::timeout(PATIENCE, stream.message()).await;
    waited.unwrap().unwrap().unwrap()
}

/// The routing version of the next state.
async fn version(stream: &mut Watch) -> u64 {
    loop {
        if let Some(fleet) = received(stream).await.fleet {
            return fleet.routing_version;
        }
    }
}

/// Each of these changes reaches everybody before the next one is made.
async fn change(server: &Server, versions: std::ops::RangeInclusive<u64>, streams: &mut [Watch]) {
    for expected in versions {
        server.world.serve(1024, expected).await;
        for got in join_all(streams.iter_mut().map(version)).await {
            assert_eq!(got, expected);
        }
    }
}

#[tokio::test]
async fn a_watch_over_the_wire_begins_resumes_refuses_and_ends() {
    let server = Server::start(USUAL).await;
    let mut client = server.client();
    let mut streams = vec![watch(&client).await];
    change(&server, 2..=3, &mut streams).await;
    let resumed = client.watch_fleet(asking(1024, 1027)).await.unwrap();
    let first = received(&mut resumed.into_inner()).await;
    assert!(first.heartbeat && first.fleet.is_none());

    let other = WatchFleetRequest {
        name: "fleets/other".into(),
        ..asking(0, 0)
    };
    let refused = client.watch_fleet(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
    assert_eq!(fault::reason(&refused), "FLEET_NOT_FOUND");

    server.world.closing.cancel();
    let ended = loop {
        if let Err(status) = streams[0].message().await {
            break status;
        }
    };
    assert_eq!(ended.code(), Code::Unavailable);
    assert_eq!(fault::reason(&ended), "SHUTTING_DOWN");
    drop((client, streams));
    server.finish().await;
}

#[tokio::test]
async fn over_http_1_nobody_watches() {
    let server = Server::start(USUAL).await;
    let old = reqwest::Client::builder().http1_only().build().unwrap();
    let url = format!("http://{}{PATH}", server.addr);
    let sent = old.post(url).body(question()).send();
    let answer = tokio::time::timeout(PATIENCE, sent).await;
    let answer = answer.unwrap().unwrap();
    assert_eq!(answer.status(), 505);
    assert_eq!(server.world.watching(), 0);
    server.finish().await;
}

#[tokio::test]
async fn two_thousand_watchers_on_twenty_connections_all_get_a_change() {
    let server = Server::start(USUAL).await;
    let clients: Vec<Client> = (0..20).map(|_| server.client()).collect();
    let mut streams = Vec::new();
    for client in &clients {
        streams.extend(watch_all(client, 100).await);
    }
    assert_eq!(server.world.watching(), 2_000);
    change(&server, 2..=2, &mut streams).await;
    assert!(server.world.states() <= 2, "one state for all of them");
    drop(streams);
    assert!(server.until_watching(0).await);
    let forgotten = || async { server.world.states() == 0 };
    assert!(eventually(PATIENCE, forgotten).await);
    drop(clients);
    server.finish().await;
}

#[tokio::test]
async fn a_stream_that_is_not_read_is_ended_alone() {
    let server = Server::start(QUICK).await;
    let client = server.narrow_client();
    let mut unread = watch(&client).await;
    let mut streams = watch_all(&client, 10).await;
    change(&server, 2..=51, &mut streams).await;
    assert!(server.world.states() <= 6, "{}", server.world.states());
    assert!(server.until_watching(10).await);
    // What had come before is still there, then the reset: whatever the library calls it.
    while let Ok(message) = unread.message().await {
        assert!(message.is_some(), "it ended as if it were done");
    }
    change(&server, 52..=52, &mut streams).await;
    drop((client, streams, unread));
    server.finish().await;
}

#[tokio::test]
async fn a_slow_reader_that_reads_again_gets_the_newest_soon() {
    let server = Server::start(USUAL).await;
    let (narrow, client) = (server.narrow_client(), server.client());
    let mut slow = watch(&narrow).await;
    let mut streams = watch_all(&client, 2).await;
    change(&server, 2..=51, &mut streams).await;
    let mut taken = 1;
    while version(&mut slow).await < 51 {
        taken += 1;
    }
    assert!(taken < 10, "{taken} states were kept for it");
    drop((slow, streams, narrow, client));
    server.finish().await;
}

/// A header of HPACK: a literal that is not indexed, without Huffman.
fn header(name: &str, value: &str) -> Vec<u8> {
    let (name_length, value_length) = ([0, name.len() as u8], [value.len() as u8]);
    [
        &name_length[..],
        name.as_bytes(),
        &value_length[..],
        value.as_bytes(),
    ]
    .concat()
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u32).to_be_bytes();
    [
        &length[1..],
        &[kind, flags][..],
        &stream.to_be_bytes()[..],
        payload,
    ]
    .concat()
}

/// A request as gRPC sends it.
fn question() -> Vec<u8> {
    let request = asking(0, 0).encode_to_vec();
    [&[0, 0, 0, 0, request.len() as u8][..], &request[..]].concat()
}

/// A client that asks for so many watches and reads nothing, ever.
async fn deaf(addr: SocketAddr, streams: u32) -> TcpStream {
    let headers = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", PATH),
        (":authority", "concierge"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    let headers = headers.map(|(name, value)| header(name, value)).concat();
    let request = question();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    for number in 0..streams {
        bytes.extend(frame(1, 4, 2 * number + 1, &headers));
        bytes.extend(frame(0, 1, 2 * number + 1, &request));
    }
    let mut connection = TcpStream::connect(addr).await.unwrap();
    connection.write_all(&bytes).await.unwrap();
    connection
}

#[tokio::test]
async fn a_client_that_never_reads_harms_nobody_and_loses_its_streams() {
    let server = Server::start(QUICK).await;
    let client = server.client();
    let mut streams = watch_all(&client, 50).await;
    let connection = deaf(server.addr, 100).await;
    assert!(server.until_watching(150).await);
    change(&server, 2..=51, &mut streams).await;
    assert!(server.world.states() <= 8, "{}", server.world.states());
    assert!(server.until_watching(50).await);
    change(&server, 52..=52, &mut streams).await;
    drop((connection, streams, client));
    server.finish().await;
}
