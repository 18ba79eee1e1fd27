//! The hub behind its listener: takes a request, decides what becomes of it, answers.
//!
//! The order is fixed: outage, route, version, token, body, operation. A request that an outage
//! swallows is never carried out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http::request::Parts;
use http::{Request, Response, header};
use hubshift_azure::{ErrorCode, api_version};
use hyper::body::Incoming;
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::answer::{Answer, Refusal};
use crate::handlers;
use crate::jobs::Jobs;
use crate::operation::Operation;
use crate::outage::{CallKind, Outage, OutageMode, OutageSwitch};
use crate::registry::Registry;
use crate::route::{self, NoRoute};

/// The largest body that is read: a bulk call of 100 devices with full twins.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// How long an ordered throttle asks for patience, seconds.
const RETRY_AFTER: u32 = 1;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped by an ordered outage")]
pub(crate) struct Dropped;

/// Method and operation of a request.
pub(crate) type RequestKind = (String, &'static str);

/// A hub.
pub(crate) struct App {
    pub(crate) access: Access,
    pub(crate) outage: OutageSwitch,
    /// Import, export and scheduled jobs.
    pub(crate) jobs: Jobs,
    registry: Mutex<Registry>,
    requests: Mutex<BTreeMap<RequestKind, u64>>,
    cancel: CancellationToken,
}

impl App {
    pub(crate) fn new(
        access: Access,
        registry: Registry,
        outage: OutageSwitch,
        cancel: CancellationToken,
    ) -> Self {
        let requests = Mutex::new(BTreeMap::new());
        Self {
            access,
            outage,
            jobs: Jobs::default(),
            registry: Mutex::new(registry),
            requests,
            cancel,
        }
    }

    /// The registry. A panic elsewhere does not take the hub down: a change is made whole or
    /// not at all.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests of each kind arrived.
    pub(crate) fn requests(&self) -> BTreeMap<RequestKind, u64> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Answers a request, or drops it.
    pub(crate) async fn handle(
        self: &Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Dropped> {
        let route = route::find(request.method(), request.uri().path());
        let kind = route.as_ref().map_or(CallKind::Read, Operation::kind);
        self.count(
            request.method().as_str(),
            route.as_ref().map_or("unknown", Operation::name),
        );
        let outage = self.outage.get();
        match outage.on_call(kind) {
            OutageMode::Refuse => return Err(Dropped),
            OutageMode::Hang => return self.hang(outage).await,
            OutageMode::Unavailable => {
                let words = "The service is unavailable, please retry later.";
                return Ok(Refusal::new(ErrorCode::ServiceUnavailable, words).into_response());
            }
            OutageMode::Throttled => return Ok(Refusal::throttled(RETRY_AFTER)),
            OutageMode::None => {}
        }
        let answer = match route {
            Ok(operation) => self.answer(operation, request).await,
            Err(no_route) => Err(no_route.into()),
        };
        Ok(answer.map_or_else(Refusal::into_response, Answer::into_response))
    }

    /// Never answers: when the outage changes or the hub stops, the connection is dropped.
    async fn hang(&self, current: Outage) -> Result<Response<Body>, Dropped> {
        tokio::select! {
            () = self.outage.changed_from(current) => {}
            () = self.cancel.cancelled() => {}
        }
        Err(Dropped)
    }

    async fn answer(
        self: &Arc<Self>,
        operation: Operation,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let (head, body) = request.into_parts();
        check_version(&head, &operation)?;
        if operation.kind() != CallKind::Device {
            let now = OffsetDateTime::now_utc();
            self.access
                .check_service(authorization(&head), &operation, now)?;
        }
        let body = axum::body::to_bytes(Body::new(body), MAX_BODY)
            .await
            .map_err(|_| Refusal::new(ErrorCode::MessageTooLarge, "the body cannot be read"))?;
        handlers::run(self, operation, &head, &body).await
    }

    fn count(&self, method: &str, operation: &'static str) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((method.to_owned(), operation)).or_default() += 1;
    }
}

/// The `Authorization` header.
pub(crate) fn authorization(head: &Parts) -> Option<&str> {
    text(head, header::AUTHORIZATION.as_str())
}

/// A header as text.
pub(crate) fn text<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    head.headers.get(name)?.to_str().ok()
}

/// A query parameter, as it came.
pub(crate) fn parameter<'a>(head: &'a Parts, name: &str) -> Option<&'a str> {
    let pairs = head
        .uri
        .query()?
        .split('&')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .next()
}

fn check_version(head: &Parts, operation: &Operation) -> Result<(), Refusal> {
    let is_accepted = if operation.kind() != CallKind::Device {
        api_version::is_accepted
    } else {
        api_version::is_accepted_from_device
    };
    match parameter(head, "api-version") {
        Some(version) if is_accepted(version) => Ok(()),
        _ => Err(Refusal::new(
            ErrorCode::InvalidProtocolVersion,
            "api-version is missing or not supported",
        )),
    }
}

impl From<NoRoute> for Refusal {
    fn from(no_route: NoRoute) -> Self {
        match no_route {
            NoRoute::Path => Self::new(ErrorCode::GenericNotFound, "there is no such path"),
            NoRoute::Method => Self::new(
                ErrorCode::GenericMethodNotAllowed,
                "the method is not allowed here",
            ),
            NoRoute::Malformed => Self::new(ErrorCode::ArgumentInvalid, "the path is not UTF-8"),
        }
    }
}
