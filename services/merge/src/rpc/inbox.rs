//! `InboxService` on the wire.

use hubshift_api::fault;
use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::inbox_service_server::InboxService;
use hubshift_api::validate::Checks;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::inbox::EventKind;
use hubshift_store::{StoreError, commit};
use sqlx::PgPool;
use tonic::{Code, Request, Response, Status};

use crate::app::inbox::{self, InboxError, NewEvent, Taken};
use crate::store::event::{self, Origin};

/// At most this many events in a request.
const MAX_EVENTS: usize = 500;
/// At most this many bytes of JSON in an event.
const MAX_PAYLOAD: usize = 16 * 1024;

/// The service over its database.
#[derive(Debug, Clone)]
pub(crate) struct InboxRpc {
    pub(crate) pool: PgPool,
}

impl From<InboxError> for Status {
    fn from(error: InboxError) -> Self {
        let text = error.to_string();
        match error {
            InboxError::NoFleet(_) => fault::status(Code::NotFound, "FLEET_NOT_FOUND", text),
            InboxError::Store(store) => store.into(),
        }
    }
}

#[tonic::async_trait]
impl InboxService for InboxRpc {
    /// Needs no replay table: every event is known by its origin's number.
    async fn record_events(
        &self,
        request: Request<pb::RecordEventsRequest>,
    ) -> Result<Response<pb::RecordEventsResponse>, Status> {
        let request = request.into_inner();
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &request.fleet);
        let request_id = checks.request_id(&request.request_id);
        if !(1..=MAX_EVENTS).contains(&request.events.len()) {
            let text = format!(
                "holds {}, 1 to {MAX_EVENTS} are taken",
                request.events.len()
            );
            checks.violation("events", text);
        }
        let events = request.events.iter().enumerate();
        let events: Vec<NewEvent> = events
            .filter_map(|(index, event)| new_event(&mut checks, index, event))
            .collect();
        let (fleet, _) = checks.require(fleet.zip(request_id))?;
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        let taken = inbox::take(&mut tx, &fleet, &events).await?;
        commit(tx).await?;
        let outcomes = taken
            .into_iter()
            .map(|taken| outcome(taken).into())
            .collect();
        Ok(Response::new(pb::RecordEventsResponse { outcomes }))
    }

    async fn get_event_state(
        &self,
        request: Request<pb::GetEventStateRequest>,
    ) -> Result<Response<pb::EventState>, Status> {
        let request = request.into_inner();
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &request.fleet);
        checks.text("device", &request.device, 128);
        checks.text("key", &request.key, 128);
        let fleet = checks.require(fleet)?;
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let built = event::built(&mut connection, &fleet, &request.device, &request.key).await?;
        let Some(built) = built else {
            let text = format!("no event of {}/{} was taken", request.device, request.key);
            return Err(fault::status(Code::NotFound, "KEY_NOT_FOUND", text));
        };
        Ok(Response::new(pb::EventState {
            value: Some(to_value(&built.value)),
            applied_count: built.applied_count,
            parked_count: built.parked_count,
            late_count: built.late_count,
        }))
    }
}

fn new_event(checks: &mut Checks, index: usize, event: &pb::Event) -> Option<NewEvent> {
    let field = |name: &str| format!("events[{index}].{name}");
    let hub = checks.hub(&field("origin_hub"), &event.origin_hub);
    checks.text(&field("producer"), &event.producer, 128);
    checks.text(&field("event_id"), &event.event_id, 128);
    checks.text(&field("key"), &event.key, 128);
    let device = checks.device(&field("device"), &event.device);
    for (name, number) in [
        ("origin_seq", event.origin_seq),
        ("key_version", event.key_version),
    ] {
        if number == 0 || i64::try_from(number).is_err() {
            checks.violation(&field(name), "must be 1 or more");
        }
    }
    let kind = kind(event.kind());
    if kind.is_none() {
        checks.violation(&field("kind"), "is required");
    }
    let payload = event.payload.as_ref().map(from_value).unwrap_or_default();
    if payload.to_string().len() > MAX_PAYLOAD {
        checks.violation(&field("payload"), "is larger than 16 KB");
    }
    let is_number = payload.get("add").is_some_and(serde_json::Value::is_number);
    if kind == Some(EventKind::Delta) && !is_number {
        checks.violation(&field("payload"), "a delta is {\"add\": number}");
    }
    Some(NewEvent {
        origin: Origin {
            hub: hub?.to_string(),
            producer: event.producer.clone(),
        },
        seq: event.origin_seq,
        event_id: event.event_id.clone(),
        epoch: Epoch(event.epoch),
        device: device?.to_string(),
        key: event.key.clone(),
        key_version: event.key_version,
        kind: kind?,
        payload,
    })
}

fn kind(kind: pb::EventKind) -> Option<EventKind> {
    match kind {
        pb::EventKind::Unspecified => None,
        pb::EventKind::State => Some(EventKind::State),
        pb::EventKind::Delta => Some(EventKind::Delta),
        pb::EventKind::Delete => Some(EventKind::Delete),
    }
}

fn outcome(taken: Taken) -> pb::EventOutcome {
    match taken {
        Taken::Applied => pb::EventOutcome::Applied,
        Taken::Duplicate => pb::EventOutcome::Duplicate,
        Taken::Stale => pb::EventOutcome::Stale,
        Taken::Parked => pb::EventOutcome::Parked,
        Taken::Late => pb::EventOutcome::Late,
        Taken::DeadLetter => pb::EventOutcome::DeadLetter,
        Taken::OutOfWindow => pb::EventOutcome::OutOfWindow,
    }
}
