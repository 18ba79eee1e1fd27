//! A fake concierge, and the program run against it.

use std::process::Output;
use std::sync::{Arc, Mutex};

use hubshift_api::fault;
use hubshift_api::pb::concierge as pb;
use hubshift_api::pb::concierge::fleet_service_server::{FleetService, FleetServiceServer};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};

/// What the fake was asked: the request ids of updates, in their order.
pub(crate) type Seen = Arc<Mutex<Vec<String>>>;

/// Knows the fleet `acme`. Updates fail once with `UNAVAILABLE`; creations are never good enough.
struct Fake {
    seen: Seen,
    fleets: usize,
}

/// Starts a fake that lists so many fleets. Returns its address and what it sees.
pub(crate) async fn concierge(fleets: usize) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let service = FleetServiceServer::new(Fake {
        seen: seen.clone(),
        fleets,
    });
    let server = tonic::transport::Server::builder()
        .add_service(service)
        .serve_with_incoming(TcpListenerStream::new(listener));
    tokio::spawn(server);
    (url, seen)
}

/// Runs the program with nothing of this machine's settings.
pub(crate) async fn hubshift(concierge: &str, line: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubshift"));
    command
        .args(line.split_whitespace())
        .current_dir(folder.path());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HUBSHIFT_")) {
        command.env_remove(name);
    }
    command
        .env("HUBSHIFT_CONCIERGE", concierge)
        .output()
        .await
        .unwrap()
}

/// The text of standard error.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The JSON object on standard output.
pub(crate) fn stdout_json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn acme() -> pb::Fleet {
    pb::Fleet {
        name: "fleets/acme".into(),
        active_hub: "east".into(),
        epoch: 1025,
        ..Default::default()
    }
}

#[tonic::async_trait]
impl FleetService for Fake {
    async fn get_fleet(
        &self,
        request: Request<pb::GetFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        match request.into_inner().name.as_str() {
            "fleets/acme" => Ok(Response::new(acme())),
            name => {
                let text = format!("there is no {name}");
                Err(fault::status(Code::NotFound, "FLEET_NOT_FOUND", text))
            }
        }
    }

    async fn list_fleets(
        &self,
        _: Request<pb::ListFleetsRequest>,
    ) -> Result<Response<pb::ListFleetsResponse>, Status> {
        let fleets = vec![acme(); self.fleets];
        Ok(Response::new(pb::ListFleetsResponse {
            fleets,
            next_page_token: String::new(),
        }))
    }

    async fn create_fleet(
        &self,
        _: Request<pb::CreateFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        let violations = [
            ("fleet.hubs", "needs two or more"),
            ("fleet.home_hub", "is required"),
        ];
        let owned = violations.map(|(field, problem)| (field.to_owned(), problem.to_owned()));
        Err(fault::invalid(owned.into()))
    }

    async fn update_fleet(
        &self,
        request: Request<pb::UpdateFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        let mut seen = self.seen.lock().unwrap();
        seen.push(request.into_inner().request_id);
        if seen.len() > 1 {
            return Ok(Response::new(acme()));
        }
        let text = "the database does not answer";
        Err(fault::status(
            Code::Unavailable,
            "DATABASE_UNAVAILABLE",
            text,
        ))
    }

    async fn start_canary(
        &self,
        _: Request<pb::StartCanaryRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        Err(Status::unimplemented("not by the fake"))
    }

    async fn stop_canary(
        &self,
        _: Request<pb::StopCanaryRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        Err(Status::unimplemented("not by the fake"))
    }

    type WatchFleetStream = tonic::codegen::BoxStream<pb::WatchFleetResponse>;

    async fn watch_fleet(
        &self,
        _: Request<pb::WatchFleetRequest>,
    ) -> Result<Response<Self::WatchFleetStream>, Status> {
        Err(Status::unimplemented("not by the fake"))
    }

    async fn acknowledge_epoch(
        &self,
        _: Request<pb::AcknowledgeEpochRequest>,
    ) -> Result<Response<pb::AcknowledgeEpochResponse>, Status> {
        Err(Status::unimplemented("not by the fake"))
    }
}
