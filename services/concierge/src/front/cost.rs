//! What a poll costs before, during and after a failover: the same (I16). Its bytes are compared
//! here; its instructions by `cargo xtask poll-cost`, which runs the tests named after the states
//! under callgrind and counts what [`answer_polls`] takes.

use std::hint::black_box;
use std::time::Instant;

use http::{Request, Response};
use hubshift_api::pb::concierge::GetEndpointRequest;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use prost::Message as _;
use time::OffsetDateTime;
use uuid::Uuid;

use super::body::FrontBody;
use super::poll::Local;
use super::{BODY_DEADLINE, plain, rpc, world};
use crate::table::fixture::{facts, signed};
use crate::table::{DebtEntry, FleetFacts};

/// How many polls, each of both transports; callgrind gets more.
const POLLS_VARIABLE: &str = "HUBSHIFT_POLLS";
const FLEETS: usize = 100;
const DEVICES: usize = 10;
/// East reigns.
const OLD: u64 = 2048;
/// West does.
const NEW: u64 = 3073;

#[derive(Debug, Clone, Copy)]
enum State {
    /// East is active, and everybody is there.
    Before,
    /// West has taken over by force: debts, a closed registry, a database that forgot, and devices
    /// that can't reach east any more.
    During,
    /// Everybody is at west.
    After,
}

impl State {
    fn facts(self, fleet: &str) -> FleetFacts {
        let mut facts = facts(
            fleet,
            if matches!(self, Self::Before) {
                OLD
            } else {
                NEW
            },
            7,
        );
        if matches!(self, Self::During) {
            facts.registry_mode = RegistryMode::Settling;
            facts.hubs[0].state = HubState::Quarantined;
            facts.is_forgotten = true;
            let debt = |kind: &str| DebtEntry {
                kind: kind.to_owned(),
                hub: facts.hubs[0].hub_id.clone(),
                failover: Uuid::nil(),
                epoch: Epoch(NEW),
                create_time: OffsetDateTime::UNIX_EPOCH,
            };
            facts.debts = vec![debt("merge_required"), debt("fence_required")];
        }
        facts
    }

    /// What devices tell: their epoch, their hub, and why they are not there.
    fn tells(self) -> (u64, &'static str, &'static str) {
        match self {
            Self::Before => (OLD, "east", ""),
            Self::During => (OLD, "east", "timed out"),
            Self::After => (NEW, "west", ""),
        }
    }

    fn question(self, fleet: &str, device: &str) -> Question {
        let (epoch, hub, error) = self.tells();
        let message = GetEndpointRequest {
            fleet: format!("fleets/{fleet}"),
            device: device.to_owned(),
            known_epoch: epoch,
            attached_hub: hub.to_owned(),
            last_connect_error: error.to_owned(),
        };
        let escaped = error.replace(' ', "+");
        let query = format!("device={device}&epoch={epoch}&hub={hub}&error={escaped}");
        let path = format!("/v1/fleets/{fleet}/endpoint?{query}");
        Question {
            message: message.encode_to_vec(),
            request: Request::get(path).body(()).unwrap(),
        }
    }
}

/// The same question, both ways.
struct Question {
    message: Vec<u8>,
    request: Request<()>,
}

/// Asks in this state; returns how many bytes the answers had.
async fn ask(state: State, polls: usize) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let served = world::state(dir.path());
    let fleets: Vec<_> = (0..FLEETS)
        .map(|fleet| format!("fleet-{fleet:03}"))
        .collect();
    let entries = fleets.iter().map(|fleet| signed(state.facts(fleet)));
    served.table.serve(entries.collect()).await;
    served.adoption.make_room(&served.table.load());
    let questions = fleets.iter().flat_map(|fleet| {
        (0..DEVICES).map(move |device| state.question(fleet, &format!("device-{device:05}")))
    });
    let questions: Vec<_> = questions.collect();
    let local = Local::new(served, BODY_DEADLINE);
    answer_polls(&local, &questions, polls)
}

/// What is counted. Nothing else may have this name in its own.
#[inline(never)]
fn answer_polls(local: &Local, questions: &[Question], polls: usize) -> usize {
    let mut bytes = 0;
    for question in questions.iter().cycle().take(polls) {
        let begun = Instant::now();
        let (message, request) = black_box((&question.message, &question.request));
        bytes += length(rpc::respond(local, message, begun));
        let fleet = plain::fleet_of(request.uri().path()).unwrap_or_default();
        bytes += length(plain::respond(local, request, fleet, begun));
    }
    bytes
}

fn length(response: Response<FrontBody>) -> usize {
    match black_box(response).into_body() {
        FrontBody::Message(bytes) | FrontBody::Whole(bytes) => bytes.len(),
        FrontBody::Empty | FrontBody::Trailers | FrontBody::Rest(_) => 0,
    }
}

async fn campaign(state: State) {
    let polls = std::env::var(POLLS_VARIABLE).ok();
    let polls = polls.map_or(FLEETS * DEVICES, |polls| polls.parse().unwrap());
    let bytes = ask(state, polls).await;
    // Each answer has a route, of which the signature alone has 86 characters.
    assert!(bytes > polls * 2 * 86, "not everything was answered");
}

#[tokio::test]
async fn before() {
    campaign(State::Before).await;
}

#[tokio::test]
async fn during() {
    campaign(State::During).await;
}

#[tokio::test]
async fn after() {
    campaign(State::After).await;
}

#[tokio::test]
async fn the_bytes_are_the_same_before_during_and_after() {
    let mut bytes = Vec::new();
    for state in [State::Before, State::During, State::After] {
        bytes.push(ask(state, FLEETS * DEVICES).await);
    }
    let (least, most) = (bytes.iter().min().unwrap(), bytes.iter().max().unwrap());
    assert!(*least > 0 && most * 10 <= least * 11, "{bytes:?}");
}
