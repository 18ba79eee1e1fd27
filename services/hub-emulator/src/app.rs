//! The hub behind its listener: takes a request, decides what becomes of it, answers.
//!
//! The order is fixed: fault, network, route, version, token, body, throttle, containers of a job,
//! operation. A request that a fault swallows is carried out only where the fault says so.

mod request;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, Bytes};
use http::request::Parts;
use http::{Request, Response, StatusCode, Version};
use hubshift_azure::ErrorCode;
use hyper::body::Incoming;
use time::OffsetDateTime;
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::answer::{Answer, Refusal};
use crate::handlers::{self, OpenJob};
use crate::jobs::Jobs;
use crate::operation::{Class, Operation};
use crate::outage::{CallKind, OutageMode, OutageSwitch, Strike};
use crate::registry::Registry;
use crate::request_log::RequestLog;
use crate::route::{self, NoRoute};
use crate::server::{Line, Site};
use crate::throttle::{self, Throttle, cost};

pub(crate) use request::{authorization, parameter, text};

/// The largest body that is read: a bulk call of 100 devices with full twins.
const MAX_BODY: usize = 8 * 1024 * 1024;

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is dropped by an ordered fault")]
pub(crate) struct Dropped;

/// A hub.
pub(crate) struct App {
    pub(crate) access: Access,
    pub(crate) outage: OutageSwitch,
    pub(crate) throttle: Throttle,
    /// What arrived.
    pub(crate) requests: RequestLog,
    /// Import, export and scheduled jobs.
    pub(crate) jobs: Jobs,
    /// Whether anybody is let in: what the resource calls public network access. Every call holds
    /// it while it is carried out.
    gate: RwLock<bool>,
    registry: Mutex<Registry>,
    cancel: CancellationToken,
}

impl App {
    pub(crate) fn new(
        access: Access,
        registry: Registry,
        outage: OutageSwitch,
        throttle: Throttle,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            access,
            outage,
            throttle,
            requests: RequestLog::default(),
            jobs: Jobs::default(),
            gate: RwLock::new(true),
            registry: Mutex::new(registry),
            cancel,
        }
    }

    /// The registry. A panic elsewhere does not take the hub down: a change is made whole or
    /// not at all.
    pub(crate) fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn is_public(&self) -> bool {
        *self.gate.read().await
    }

    /// The gate, to change who is let in: while it is held, no call is carried out. What decided
    /// on calls before has no say in those that come after.
    pub(crate) async fn hold_gate(&self) -> RwLockWriteGuard<'_, bool> {
        self.gate.write().await
    }

    /// Answers a request as the fault has it, or drops its connection.
    async fn respond(
        self: &Arc<Self>,
        route: Result<Operation, NoRoute>,
        request: Request<Incoming>,
        strike: Strike,
        line: Arc<Line>,
    ) -> Result<Response<Body>, Dropped> {
        match strike.mode {
            OutageMode::None => Ok(self.answer(route, request).await),
            OutageMode::Refuse => {
                line.close();
                Err(Dropped)
            }
            OutageMode::Hang => self.hang(strike.order).await,
            OutageMode::Unavailable => {
                let _ = read(request.into_body()).await;
                let words = "The service is unavailable, please retry later.";
                Ok(Refusal::new(ErrorCode::ServiceUnavailable, words).into_response())
            }
            OutageMode::Throttled => {
                let (operation, version) = (route.as_ref().ok(), request.version());
                let _ = read(request.into_body()).await;
                Ok(self.throttled(operation, version, strike.retry_after))
            }
            OutageMode::Error => {
                let _ = read(request.into_body()).await;
                let words = "The server encountered an error processing the request.";
                Ok(Refusal::new(ErrorCode::ServerError, words).into_response())
            }
            OutageMode::Slow => {
                let answer = self.answer(route, request).await;
                tokio::select! {
                    () = tokio::time::sleep(strike.latency) => Ok(answer),
                    () = self.cancel.cancelled() => Err(Dropped),
                }
            }
            OutageMode::Reset => line.cut_within(self.answer(route, request).await).await,
            OutageMode::Lost => {
                // What it says is of no account: nobody hears it.
                let _ = self.answer(route, request).await;
                self.hang(strike.order).await
            }
            OutageMode::ResetEarly => {
                let _ = read(request.into_body()).await;
                line.cut();
                Err(Dropped)
            }
        }
    }

    /// Refuses a call as a hub does whose quota is used up.
    fn throttled(
        &self,
        operation: Option<&Operation>,
        version: Version,
        retry_after: Option<u32>,
    ) -> Response<Body> {
        let class = operation.map_or(Class::Free, Operation::class);
        let refusal = throttle::refusal(ErrorCode::ThrottlingBacklogTimeout, class);
        let mut response = refusal.into_response();
        self.throttle.mark(&mut response, version, retry_after);
        response
    }

    /// Never answers: when there is another order or the hub stops, the call is dropped. Over HTTP/1
    /// its connection is closed then; over HTTP/2 its stream is, and the others go on.
    async fn hang(&self, order: u64) -> Result<Response<Body>, Dropped> {
        tokio::select! {
            () = self.outage.replaced(order) => {}
            () = self.cancel.cancelled() => {}
        }
        Err(Dropped)
    }

    async fn answer(
        self: &Arc<Self>,
        route: Result<Operation, NoRoute>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        if !self.is_public().await {
            return no_public_access();
        }
        let version = request.version();
        let answer = match route {
            Ok(operation) => self.carry_out(operation, request).await,
            Err(no_route) => {
                let _ = read(request.into_body()).await;
                Err(no_route.into())
            }
        };
        let mut response = answer.map_or_else(Refusal::into_response, Answer::into_response);
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            self.throttle.mark(&mut response, version, None);
        }
        response
    }

    async fn carry_out(
        self: &Arc<Self>,
        operation: Operation,
        request: Request<Incoming>,
    ) -> Result<Answer, Refusal> {
        let (mut head, body) = request.into_parts();
        // Read whatever comes of it: a connection with a body left in it is closed, and the next
        // request on it would get no answer.
        let body = read(body).await;
        request::check_version(&head, &operation)?;
        self.check_caller(&mut head, &operation)?;
        let body = body?;
        self.wait_for_turn(&operation, &body).await?;
        let opened = handlers::open(self, &operation, &body).await?;
        self.run(operation, head, &body, opened).await
    }

    /// Carries a call out while nobody can close the hub or replace its keys. Who wants to do that
    /// waits for it, and all other calls with them: nothing here waits for anybody else.
    async fn run(
        self: &Arc<Self>,
        operation: Operation,
        mut head: Parts,
        body: &[u8],
        opened: Option<OpenJob>,
    ) -> Result<Answer, Refusal> {
        let gate = self.gate.read().await;
        // Both may have happened while the call waited.
        if !*gate {
            return Err(Refusal::unauthorized());
        }
        self.check_caller(&mut head, &operation)?;
        let is_message = operation.kind() == CallKind::Device;
        let answer = handlers::run(self, operation, &head, body, opened).await?;
        if is_message {
            self.throttle.count_message();
        }
        Ok(answer)
    }

    /// Checks the token of a service, and leaves in the head of the request how it was let in. A
    /// device's token is checked with the device.
    fn check_caller(&self, head: &mut Parts, operation: &Operation) -> Result<(), Refusal> {
        if operation.kind() == CallKind::Device {
            return Ok(());
        }
        let now = OffsetDateTime::now_utc();
        let caller = self
            .access
            .check_service(authorization(head), operation, now)?;
        head.extensions.insert(caller);
        Ok(())
    }

    /// Waits until the hub's quotas let the call through.
    async fn wait_for_turn(&self, operation: &Operation, body: &[u8]) -> Result<(), Refusal> {
        if operation.kind() == CallKind::Device {
            self.throttle.check_messages()?;
        }
        let cost = cost::of(operation, body);
        tokio::select! {
            result = self.throttle.admit(operation.class(), cost) => result,
            () = self.cancel.cancelled() => {
                Err(Refusal::new(ErrorCode::ServiceUnavailable, "the hub stops"))
            }
        }
    }
}

impl Site for App {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        line: Arc<Line>,
    ) -> Result<Response<Body>, Dropped> {
        let route = route::find(request.method(), request.uri().path());
        let operation = route.as_ref().ok();
        let strike = self.outage.strike(
            operation.map_or(CallKind::Read, Operation::kind),
            operation.map_or("unknown", Operation::name),
        );
        let method = request.method().as_str();
        let sequence = self.requests.arrived(method, operation, strike.mode);
        let answer = self.respond(route, request, strike, line).await?;
        let status = answer.status().as_u16();
        self.requests.answered(sequence, status);
        Ok(answer)
    }

    async fn refused(self: Arc<Self>) {
        self.outage.refused().await;
    }
}

/// How a hub without public network access refuses everybody. The real one's words are not known;
/// that they are a 403 with the name of a refused token is inferred.
fn no_public_access() -> Response<Body> {
    let words = "Public network access is disabled";
    let refusal = Refusal::new(ErrorCode::IotHubUnauthorizedAccess, words);
    let mut response = refusal.into_response();
    *response.status_mut() = StatusCode::FORBIDDEN;
    response
}

async fn read(body: Incoming) -> Result<Bytes, Refusal> {
    axum::body::to_bytes(Body::new(body), MAX_BODY)
        .await
        .map_err(|_| Refusal::new(ErrorCode::MessageTooLarge, "the body cannot be read"))
}
