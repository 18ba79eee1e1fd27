//! A cold start: a table of many fleets on disk, no database, and how long until the first answer.
//!
//! The table is made once in a run, by a concierge on a database of its own; every start gets a
//! copy. The kernel has read the file before: what is measured is the process, not the disk.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use hubshift_api::pb::concierge::GetEndpointRequest;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_testkit::pg::Database;
use prost::Message as _;
use tonic::transport::Channel;

use crate::contender::ours;
use crate::judge::{Figure, Figures};
use crate::world::{World, until};
use crate::{fleets, grpc, ports};

/// Fleets that are made at once.
const AT_ONCE: usize = 8;
/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer takes longer once the port is open.
const ANSWER: Duration = Duration::from_secs(5);

/// Measures the concierge.
pub(super) async fn measure(world: &World, fleets: usize) -> anyhow::Result<Figures> {
    let template = Box::pin(template(world, fleets)).await?;
    let data = world.place.disk.path().join("cold-start");
    copy(&template, &data).context("could not copy the table")?;
    let start = ours::Start {
        database_url: &format!("postgres://nobody@{}/none", ports::local(ports::CLOSED)),
        data: &data,
        tls: None,
        settings: &world.place.options.settings,
    };
    let path = format!("/v1/fleets/{}/endpoint", name(fleets / 2));
    let begin = Instant::now();
    let mut process = ours::spawn(&world.place, &start)?;
    let addr = ports::local(ports::CONCIERGE);
    let answered = tokio::task::spawn_blocking(move || first_answer(addr, &path)).await?;
    process.check()?;
    let took = answered?.duration_since(begin);
    process.stop().await?;
    Ok(Figures::from([(
        Figure::FirstAnswerMs,
        took.as_secs_f64() * 1e3,
    )]))
}

/// Asks without a pause, from a core of its own, until there is an answer; says when it came.
fn first_answer(addr: SocketAddr, path: &str) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // Refused, or not served yet.
        if ask(addr, path).unwrap_or(false) {
            return Ok(Instant::now());
        }
    }
    bail!("there was no answer within {PATIENCE:?}")
}

fn ask(addr: SocketAddr, path: &str) -> std::io::Result<bool> {
    const SUCCESS: &[u8] = b"HTTP/1.1 200 ";
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
    )?;
    let mut start = [0; SUCCESS.len()];
    stream.read_exact(&mut start)?;
    Ok(start == SUCCESS)
}

/// A data directory with the table and its keys, made at the first call.
async fn template(world: &World, fleets: usize) -> anyhow::Result<PathBuf> {
    let template = world.place.disk.path().join(format!("cold-{fleets}"));
    if template.is_dir() {
        return Ok(template);
    }
    eprintln!("making a table of {fleets} fleets");
    let database = Database::on(&world.server).await?;
    let making = world.place.disk.path().join("cold-making");
    let start = ours::Start {
        database_url: &database.concierge_url(),
        data: &making,
        tls: None,
        settings: &world.place.options.settings,
    };
    let process = ours::start_ready(&world.place, &start).await?;
    let operator = FleetServiceClient::new(grpc::channel(ports::local(ports::OPERATOR))?);
    let created = stream::iter(0..fleets).map(|number| create(operator.clone(), number));
    let created = created.buffer_unordered(AT_ONCE);
    created.try_collect::<Vec<()>>().await?;
    let public = grpc::channel(ports::local(ports::CONCIERGE))?;
    for number in 0..fleets {
        until("a fleet is not served", || served(&public, number)).await?;
    }
    process.stop().await?;
    std::fs::rename(&making, &template)?;
    Ok(template)
}

async fn create(mut operator: FleetServiceClient<Channel>, number: usize) -> anyhow::Result<()> {
    let created = operator.create_fleet(fleets::new(&name(number))).await;
    created.context("could not make a fleet")?;
    Ok(())
}

async fn served(public: &Channel, number: usize) -> anyhow::Result<()> {
    let request = GetEndpointRequest {
        fleet: format!("fleets/{}", name(number)),
        ..GetEndpointRequest::default()
    };
    let request = Bytes::from(request.encode_to_vec());
    grpc::unary(public, grpc::GET_ENDPOINT, request).await?;
    Ok(())
}

fn name(number: usize) -> String {
    format!("cold-{number:05}")
}

/// Copies a folder, in place of whatever is there.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.is_dir() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
