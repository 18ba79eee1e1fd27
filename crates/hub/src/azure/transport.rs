//! Sending one request to a hub, under the deadline of the call that it belongs to.
//!
//! ```text
//! room in the budget ─▶ token ─▶ request ─▶ answer ─▶ the budget learns from it
//!       │ none in time     │ none
//!       └──────────────────┴─▶ rejected: nothing was sent
//! ```
//!
//! Keeps true: waiting counts within the deadline. A token of a shared access policy expires
//! with it, so that the hub cannot carry out later what we no longer wait for; one of Entra ID
//! does not. Every request is counted.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use hubshift_azure::{Secret, headers, is_host};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::failure::{DEFAULT_RETRY, Refused};
use super::hush;
use super::request::text;
pub(super) use super::request::{Class, Reply, Request};
use super::settings::{AzureSettings, HubSetupError};
use crate::auth::{self, TokenProvider, TokenRequest};
use crate::budget::Budget;
use crate::http::{self, Failure};
use crate::outcome::{Cause, HubError, Outcome, Rejection};

/// An answer as it came.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The way to one hub. Clones share connections and tokens.
#[derive(Clone)]
pub(super) struct Transport {
    client: Client,
    host: String,
    tokens: Arc<dyn TokenProvider>,
    budget: Arc<dyn Budget>,
    call_deadline: Duration,
}

/// One call, which may be several requests, and its deadline.
pub(super) struct Call<'a> {
    transport: &'a Transport,
    deadline: Instant,
    /// The deadline by the wall clock, which also runs while the machine sleeps.
    expiry: SystemTime,
    /// Whether a request went out, and whether one that writes did: what was begun is worth waiting
    /// for.
    has_sent: AtomicBool,
    has_written: AtomicBool,
}

impl Transport {
    pub(super) fn new(settings: AzureSettings) -> Result<Self, HubSetupError> {
        let AzureSettings {
            host,
            login,
            ca_pem,
            call_deadline,
            budget,
            http1_only,
            bearer_afterlife: _,
            read_lag: _,
        } = settings;
        if !is_host(&host) {
            return Err(HubSetupError::Host);
        }
        if call_deadline.is_zero() {
            return Err(HubSetupError::Deadline);
        }
        let ca_pem = ca_pem.as_deref();
        Ok(Self {
            client: http::client(ca_pem, call_deadline, http1_only)?,
            host,
            tokens: auth::provider(login, ca_pem, call_deadline)?,
            budget,
            call_deadline,
        })
    }

    /// The same way within another budget.
    pub(super) fn with_budget(&self, budget: Arc<dyn Budget>) -> Self {
        Self {
            budget,
            ..self.clone()
        }
    }

    pub(super) fn call_deadline(&self) -> Duration {
        self.call_deadline
    }

    /// Whether what authorises a call stays good after its deadline.
    pub(super) fn authority_outlives_call(&self) -> bool {
        self.tokens.outlives_call()
    }

    /// Begins a call: its deadline runs from now.
    pub(super) fn begin(&self) -> Call<'_> {
        Call {
            transport: self,
            deadline: Instant::now() + self.call_deadline,
            expiry: SystemTime::now() + self.call_deadline,
            has_sent: AtomicBool::new(false),
            has_written: AtomicBool::new(false),
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("host", &self.host)
            .field("tokens", &self.tokens)
            .field("budget", &self.budget)
            .field("call_deadline", &self.call_deadline)
            .finish_non_exhaustive()
    }
}

impl Call<'_> {
    /// Sends a request and reads the whole answer, within the deadline of the call.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, HubError> {
        let class = request.class.label();
        let outcome = Outcome::from(self.attempt(request).await);
        metrics::counter!(
            "hubshift_hub_calls_total",
            "hub" => self.transport.host.clone(),
            "class" => class,
            "outcome" => outcome.label(),
        )
        .increment(1);
        outcome.into_result()
    }

    async fn attempt(&self, mut request: Request) -> Result<Reply, HubError> {
        if request.is_broken {
            return Err(Rejection::Invalid("an etag or cursor cannot be sent".to_owned()).into());
        }
        let class = request.class;
        let is_write = request.method != Method::GET;
        self.take_room(class, is_write).await?;
        let token = self.token().await?;
        if Instant::now() >= self.deadline || SystemTime::now() >= self.expiry {
            // The deadline passed before anything was sent, perhaps in the machine's sleep.
            return Err(Rejection::Unreachable("no time was left to send".to_owned()).into());
        }
        let keys = std::mem::take(&mut request.keys);
        let request = self.build(request, token)?;
        self.has_sent.store(true, Ordering::Relaxed);
        self.has_written.fetch_or(is_write, Ordering::Relaxed);
        let answer = self.exchange(request).await?;
        self.judge(class, answer, &keys)
    }

    /// Waits until the budget has room. What was not begun leaves half of the time for the answer:
    /// a first write that went out at the last moment would be one of which nobody knows.
    async fn take_room(&self, class: Class, is_write: bool) -> Result<(), HubError> {
        let is_begun = match is_write {
            true => &self.has_written,
            false => &self.has_sent,
        };
        let start = Instant::now();
        let until = match is_begun.load(Ordering::Relaxed) {
            true => self.deadline,
            false => start + self.deadline.saturating_duration_since(start) / 2,
        };
        let take = self.transport.budget.take(class.quota(), until);
        // A budget that does not keep its word must not hold the call.
        let room = timeout_at(until, take).await.unwrap_or(Err(DEFAULT_RETRY));
        metrics::histogram!(
            "hubshift_hub_budget_wait_seconds",
            "hub" => self.transport.host.clone(),
            "class" => class.label(),
        )
        .record(start.elapsed().as_secs_f64());
        room.map_err(|retry_after| Rejection::Throttled { retry_after }.into())
    }

    /// What authorises a request.
    async fn token(&self) -> Result<HeaderValue, HubError> {
        let request = TokenRequest {
            host: &self.transport.host,
            expiry: self.expiry,
            deadline: self.deadline,
        };
        let given = self.transport.tokens.authorization(request);
        let Ok(token) = timeout_at(self.deadline, given).await else {
            return Err(Rejection::Unreachable("no token came in time".to_owned()).into());
        };
        let mut value = HeaderValue::from_str(token?.expose())
            .map_err(|_| Rejection::Invalid("the token cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn build(&self, request: Request, token: HeaderValue) -> Result<reqwest::Request, HubError> {
        let url = request.url(&self.transport.host);
        let builder = self
            .transport
            .client
            .request(request.method, url)
            .headers(request.headers)
            .header(AUTHORIZATION, token);
        let builder = match request.body {
            Some(body) => builder.body(body),
            None => builder,
        };
        builder
            .build()
            .map_err(|error| Failure::from(&error).into())
    }

    async fn exchange(&self, request: reqwest::Request) -> Result<Answer, HubError> {
        let answer = async {
            let response = self.transport.client.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let body = response.bytes().await?.to_vec();
            Ok::<_, reqwest::Error>(Answer {
                status,
                headers,
                body,
            })
        };
        match timeout_at(self.deadline, answer).await {
            Ok(answer) => answer.map_err(|error| Failure::from(&error).into()),
            Err(_) => Err(Cause::Timeout.into()),
        }
    }

    /// What an answer means, also for the calls that come after. `keys` were sent.
    fn judge(&self, class: Class, answer: Answer, keys: &[Secret]) -> Result<Reply, HubError> {
        let Transport { tokens, budget, .. } = self.transport;
        let Answer {
            status,
            headers,
            body,
        } = answer;
        if status.is_success() {
            budget.answered(class.quota());
            if class == Class::Query {
                budget.spent(body.len());
            }
            return Ok(Reply::new(headers, body));
        }
        let refused = Refused {
            status,
            code: text(&headers, headers::ERROR_CODE),
            retry_after: text(&headers, RETRY_AFTER.as_str()),
            body: &body,
        };
        match refused.pause() {
            Some(pause) => self.slow_down(class, pause),
            None => budget.answered(class.quota()),
        }
        if status == StatusCode::UNAUTHORIZED {
            tokens.refused();
        }
        let is_telling = hush::tells(&String::from_utf8_lossy(&body), keys);
        Err(hush::without(refused.error(), |_| is_telling))
    }

    fn slow_down(&self, class: Class, pause: Duration) {
        self.transport.budget.throttled(class.quota(), pause);
        metrics::counter!(
            "hubshift_hub_throttled_total",
            "hub" => self.transport.host.clone(),
            "class" => class.label(),
        )
        .increment(1);
    }
}
