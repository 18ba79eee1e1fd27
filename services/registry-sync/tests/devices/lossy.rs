//! A hub behind a line that can lose answers: what was asked is done, and nobody hears of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hubshift_emulator::{Emulator, Options, Running};
use hubshift_hub::Secret;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Where the hub itself listens; the line has the same port at the address that callers know.
const HIDDEN: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// What answers are lost: all that come after this many requests of the operation arrived.
#[derive(Debug, Clone, Copy)]
struct Loss {
    operation: &'static str,
    after: u64,
}

/// The line's state, shared by its connections.
#[derive(Default)]
struct Line {
    loss: Mutex<Option<Loss>>,
    cut: Mutex<CancellationToken>,
}

/// A hub and the line to it.
pub(crate) struct Lossy {
    pub(crate) hub: Arc<Running>,
    line: Arc<Line>,
    stop: CancellationToken,
}

impl Lossy {
    /// A hub in memory that answers.
    pub(crate) async fn start() -> Self {
        let key = Secret::generate().unwrap();
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = door.local_addr().unwrap().port();
        let options = Options {
            listen: SocketAddr::from((HIDDEN, port)),
            hostname: Some(Ipv4Addr::LOCALHOST.to_string()),
            ..Options::local("iothubowner", &key)
        };
        let hub = Arc::new(Emulator::start(options).await.unwrap());
        let (line, stop) = (Arc::<Line>::default(), CancellationToken::new());
        tokio::spawn(serve(door, hub.clone(), line.clone(), stop.clone()));
        Self { hub, line, stop }
    }

    /// From the next request of `operation` on, every answer is lost.
    pub(crate) fn lose_answers_from_next(&self, operation: &'static str) {
        let after = self.hub.requests(operation);
        *self.line.loss.lock().unwrap() = Some(Loss { operation, after });
    }

    /// Answers get through again, over new connections.
    pub(crate) fn heal(&self) {
        *self.line.loss.lock().unwrap() = None;
        let cut = std::mem::take(&mut *self.line.cut.lock().unwrap());
        cut.cancel();
    }
}

impl Drop for Lossy {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Line {
    fn loses(&self, hub: &Running) -> bool {
        let loss = *self.loss.lock().unwrap();
        loss.is_some_and(|loss| hub.requests(loss.operation) > loss.after)
    }
}

async fn serve(door: TcpListener, hub: Arc<Running>, line: Arc<Line>, stop: CancellationToken) {
    loop {
        let caller = tokio::select! {
            accepted = door.accept() => match accepted {
                Ok((caller, _)) => caller,
                Err(_) => return,
            },
            () = stop.cancelled() => return,
        };
        let Ok(server) = TcpStream::connect(hub.addr).await else {
            continue;
        };
        let cut = line.cut.lock().unwrap().clone();
        let (hub, line, stop) = (hub.clone(), line.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = carry(caller, server, &hub, &line) => {}
                () = cut.cancelled() => {}
                () = stop.cancelled() => {}
            }
        });
    }
}

/// Carries both ways until one end closes.
async fn carry(caller: TcpStream, server: TcpStream, hub: &Running, line: &Line) {
    let (mut from_caller, mut to_caller) = caller.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let asks = tokio::io::copy(&mut from_caller, &mut to_server);
    let answers = async {
        let mut bytes = vec![0u8; 16 * 1024];
        loop {
            match from_server.read(&mut bytes).await {
                Ok(0) | Err(_) => return,
                // The hub counts a request before it answers it.
                Ok(_) if line.loses(hub) => {}
                Ok(count) => {
                    if to_caller.write_all(&bytes[..count]).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    tokio::select! {
        _ = asks => {}
        () = answers => {}
    }
}
