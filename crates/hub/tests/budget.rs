//! The connector holds calls back before the hub has to, and gives way when the hub refuses one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;
mod fake;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use common::{key, sas, write};
use fake::{Fake, Log, policy};
use hubshift_azure::quota::Tier;
use hubshift_hub::budget::{Budget, BudgetSettings, LocalBudget, OperationClass};
use hubshift_hub::{AzureHub, AzureSettings, Cause, EtagPair, Hub as _, Outcome, Rejection};
use serde_json::json;

/// A status, how long to wait, and the error's name.
type Refusal = (StatusCode, Option<&'static str>, &'static str);

/// A hub that does what it is told: it answers, or refuses as often as was ordered.
#[derive(Clone, Default)]
struct Hub {
    asked: Log<String>,
    refusals: Log<Refusal>,
}

impl Hub {
    async fn start() -> (Self, Fake) {
        let hub = Self::default();
        let router = Router::new().fallback(answer).with_state(hub.clone());
        (hub, Fake::serve(router).await)
    }

    fn refuse(&self, status: StatusCode, retry_after: Option<&'static str>, code: &'static str) {
        let mut refusals = self.refusals.lock().unwrap();
        refusals.push((status, retry_after, code));
    }

    fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

async fn answer(State(hub): State<Hub>, method: Method, uri: Uri) -> Response {
    hub.asked
        .lock()
        .unwrap()
        .push(format!("{method} {}", uri.path()));
    if let Some((status, retry_after, code)) = hub.refusals.lock().unwrap().pop() {
        let mut headers = HeaderMap::new();
        headers.insert("iothub-errorcode", code.parse().unwrap());
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.parse().unwrap());
        }
        return (status, headers).into_response();
    }
    let body = match uri.path() {
        "/devices/query" => json!([]),
        "/statistics/devices" => {
            json!({"totalDeviceCount": 1, "enabledDeviceCount": 1, "disabledDeviceCount": 0})
        }
        _ => json!({
            "deviceId": "d", "etag": "MA==", "generationId": "1", "status": "enabled",
            "authentication": {
                "type": "sas",
                "symmetricKey": {"primaryKey": key('B'), "secondaryKey": key('Z')},
            },
        }),
    };
    Json(body).into_response()
}

fn connect(fake: &Fake, deadline: Duration, budget: Arc<dyn Budget>) -> AzureHub {
    AzureHub::new(AzureSettings {
        call_deadline: deadline,
        budget,
        ..fake.settings(policy())
    })
    .unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One small hub whose clock runs sixty times as fast: fifty calls a second are ours, ten at once.
fn s1() -> BudgetSettings {
    BudgetSettings {
        tier: Some(Tier::S1),
        speed: 60.0,
        ..BudgetSettings::default()
    }
}

#[tokio::test]
async fn calls_take_the_time_that_half_of_the_quota_allows() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(20), Arc::new(LocalBudget::new(&s1())));
    let start = Instant::now();
    for _ in 0..60 {
        assert!(azure.statistics().await.done().is_some());
    }
    // Ten at once, and the other fifty in a second.
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(990), "{elapsed:?}");
    assert_eq!(hub.count(), 60);
}

#[tokio::test]
async fn after_a_429_nothing_of_its_class_goes_out_until_the_pause_is_over() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(6), Arc::new(LocalBudget::unlimited()));
    let too_many = StatusCode::TOO_MANY_REQUESTS;
    hub.refuse(too_many, Some("4"), "ThrottlingBacklogTimeout");
    let start = Instant::now();
    let retry_after = seconds(4);
    assert_eq!(
        azure.statistics().await,
        Outcome::Rejected(Rejection::Throttled { retry_after })
    );
    // Queries have a quota of their own.
    assert!(azure.list(None, 10).await.done().is_some());
    let outcome = azure.statistics().await;
    let Outcome::Rejected(Rejection::Throttled { retry_after }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(
        start.elapsed() + retry_after >= seconds(4),
        "{retry_after:?}"
    );
    assert_eq!(
        *hub.asked.lock().unwrap(),
        ["GET /statistics/devices", "POST /devices/query"]
    );
}

#[tokio::test]
async fn a_pause_that_ends_in_time_is_waited_out() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(20), Arc::new(LocalBudget::new(&s1())));
    let too_many = StatusCode::TOO_MANY_REQUESTS;
    // Thirty of the hub's seconds are half of one of ours.
    hub.refuse(too_many, Some("30"), "ThrottlingException");
    assert!(azure.statistics().await.done().is_none());
    let start = Instant::now();
    assert!(azure.statistics().await.done().is_some());
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(450), "{elapsed:?}");
    assert!(elapsed < seconds(5), "{elapsed:?}");
}

#[tokio::test]
async fn who_finds_no_room_in_half_of_its_time_has_sent_nothing() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(2), Arc::new(LocalBudget::unlimited()));
    hub.refuse(StatusCode::TOO_MANY_REQUESTS, None, "ThrottlingException");
    assert!(azure.statistics().await.done().is_none());
    let start = Instant::now();
    let outcome = azure.statistics().await;
    let Outcome::Rejected(Rejection::Throttled { retry_after }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(retry_after > seconds(5), "{retry_after:?}");
    assert!(start.elapsed() < seconds(1), "told at once");
    assert_eq!(hub.count(), 1);
}

#[tokio::test]
async fn a_job_that_has_to_wait_for_another_slows_nothing_down() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(5), Arc::new(LocalBudget::unlimited()));
    hub.refuse(StatusCode::FORBIDDEN, None, "JobQuotaExceeded");
    let retry_after = seconds(30);
    assert_eq!(
        azure.statistics().await,
        Outcome::Rejected(Rejection::Throttled { retry_after })
    );
    assert!(azure.statistics().await.done().is_some());
}

#[tokio::test]
async fn queries_end_with_their_part_of_the_hubs_day() {
    let (hub, fake) = Hub::start().await;
    let settings = BudgetSettings {
        daily_messages: Some(2),
        ..BudgetSettings::default()
    };
    let azure = connect(&fake, seconds(5), Arc::new(LocalBudget::new(&settings)));
    for _ in 0..2 {
        assert!(azure.list(None, 10).await.done().is_some());
    }
    let outcome = azure.list(None, 10).await;
    let Outcome::Rejected(Rejection::Throttled { retry_after }) = outcome else {
        panic!("{outcome:?}");
    };
    assert!(retry_after <= seconds(86_400), "{retry_after:?}");
    assert_eq!(hub.count(), 2);
    assert!(azure.statistics().await.done().is_some(), "others go on");
}

/// Has room for so many calls, and notes what it is asked and told.
#[derive(Debug)]
struct Noting {
    room: Mutex<usize>,
    notes: Mutex<Vec<String>>,
}

impl Noting {
    fn new(room: usize) -> Arc<Self> {
        let (room, notes) = (Mutex::new(room), Mutex::default());
        Arc::new(Self { room, notes })
    }

    fn note(&self, text: String) {
        self.notes.lock().unwrap().push(text);
    }
}

#[async_trait]
impl Budget for Noting {
    async fn take(
        &self,
        class: OperationClass,
        until: tokio::time::Instant,
    ) -> Result<(), Duration> {
        let left = until.duration_since(tokio::time::Instant::now());
        let part = if left > seconds(70) { "all" } else { "half" };
        self.note(format!("take {class:?} {part}"));
        let mut room = self.room.lock().unwrap();
        *room = room.checked_sub(1).ok_or(seconds(7))?;
        Ok(())
    }

    fn throttled(&self, class: OperationClass, pause: Duration) {
        self.note(format!("throttled {class:?} {pause:?}"));
    }

    fn answered(&self, class: OperationClass) {
        self.note(format!("answered {class:?}"));
    }

    fn spent(&self, bytes: usize) {
        self.note(format!("spent {bytes}"));
    }
}

#[tokio::test]
async fn a_call_that_wrote_waits_longer_and_is_unknown_without_room() {
    let (hub, fake) = Hub::start().await;
    let budget = Noting::new(1);
    let azure = connect(&fake, seconds(100), budget.clone());
    let outcome = azure.create(&write("d", sas('B'))).await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
        "{outcome:?}"
    );
    assert_eq!(*hub.asked.lock().unwrap(), ["PUT /devices/d"]);
    let notes = budget.notes.lock().unwrap();
    // Half of the time for the first request, all that is left for what was begun.
    assert_eq!(
        *notes,
        [
            "take Registry half",
            "answered Registry",
            "take TwinRead all"
        ]
    );
}

#[tokio::test]
async fn a_first_write_leaves_time_for_its_answer_although_something_was_read_before() {
    let (_hub, fake) = Hub::start().await;
    let budget = Noting::new(2);
    let azure = connect(&fake, seconds(100), budget.clone());
    let mut edge = write("d", sas('B'));
    edge.identity.iot_edge = true;
    let pair = EtagPair {
        identity: Some("MA==".to_owned()),
        twin: None,
    };
    let outcome = azure.update(&edge, &pair).await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
        "{outcome:?}"
    );
    let notes = budget.notes.lock().unwrap();
    assert_eq!(
        *notes,
        [
            "take Registry half",
            "answered Registry",
            "take Registry half",
            "answered Registry",
            "take TwinRead all"
        ]
    );
}

#[tokio::test]
async fn a_call_that_wrote_nothing_is_rejected_without_room() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(5), Noting::new(0));
    let retry_after = seconds(7);
    assert_eq!(
        azure.create(&write("d", sas('B'))).await,
        Outcome::Rejected(Rejection::Throttled { retry_after })
    );
    assert_eq!(hub.count(), 0);
}

#[tokio::test]
async fn a_hub_may_be_called_within_two_budgets() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, seconds(5), Noting::new(1));
    let other = azure.with_budget(Noting::new(0));
    assert!(other.statistics().await.done().is_none());
    assert!(azure.statistics().await.done().is_some());
    assert_eq!(hub.count(), 1);
}

#[tokio::test]
async fn the_budget_hears_of_every_answer() {
    let (hub, fake) = Hub::start().await;
    let budget = Noting::new(10);
    let azure = connect(&fake, seconds(5), budget.clone());
    assert!(azure.list(None, 10).await.done().is_some());
    hub.refuse(StatusCode::PRECONDITION_FAILED, None, "PreconditionFailed");
    assert!(azure.statistics().await.done().is_none());
    hub.refuse(StatusCode::TOO_MANY_REQUESTS, None, "ThrottlingException");
    assert!(azure.statistics().await.done().is_none());
    let notes = budget.notes.lock().unwrap();
    let told: Vec<&str> = notes
        .iter()
        .map(String::as_str)
        .filter(|note| !note.starts_with("take"))
        .collect();
    assert_eq!(
        told,
        [
            "answered Query",
            "spent 2",
            "answered Registry",
            "throttled Registry 10s"
        ]
    );
}

/// Never has room, and does not say so in time.
#[derive(Debug)]
struct Hanging;

#[async_trait]
impl Budget for Hanging {
    async fn take(&self, _: OperationClass, _: tokio::time::Instant) -> Result<(), Duration> {
        std::future::pending().await
    }

    fn throttled(&self, _: OperationClass, _: Duration) {}

    fn answered(&self, _: OperationClass) {}

    fn spent(&self, _: usize) {}
}

#[tokio::test]
async fn a_budget_that_hangs_holds_no_call() {
    let (hub, fake) = Hub::start().await;
    let azure = connect(&fake, Duration::from_millis(400), Arc::new(Hanging));
    let start = Instant::now();
    let outcome = azure.statistics().await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Throttled { .. })),
        "{outcome:?}"
    );
    assert!(start.elapsed() < seconds(3), "{:?}", start.elapsed());
    assert_eq!(hub.count(), 0);
}
