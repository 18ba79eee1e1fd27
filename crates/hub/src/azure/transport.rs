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

use hubshift_azure::quota::OperationClass;
use hubshift_azure::{api_version, etag, headers, is_host, path};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::failure::{DEFAULT_RETRY, Refused};
use super::settings::{AzureSettings, HubSetupError};
use crate::auth::{self, TokenProvider, TokenRequest};
use crate::budget::Budget;
use crate::http::{self, Failure};
use crate::outcome::{Cause, HubError, Outcome, Rejection};

/// A class of calls, as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    RegistryRead,
    RegistryWrite,
    TwinRead,
    TwinWrite,
    Query,
    Configuration,
    Job,
}

/// A request to be sent.
pub(super) struct Request {
    class: Class,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    /// A header that cannot be written makes the request invalid.
    is_broken: bool,
}

/// A successful answer.
pub(super) struct Reply {
    headers: HeaderMap,
    body: Vec<u8>,
}

/// An answer as it came.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

/// The way to one hub.
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
    /// Until when the first request may wait for room: half of the time is left for the rest.
    patience: Instant,
    deadline: Instant,
    /// The deadline by the wall clock, which also runs while the machine sleeps.
    expiry: SystemTime,
    /// Whether a request went out: what was begun is worth waiting for.
    has_sent: AtomicBool,
}

impl Class {
    fn label(self) -> &'static str {
        match self {
            Self::RegistryRead => "registry_read",
            Self::RegistryWrite => "registry_write",
            Self::TwinRead => "twin_read",
            Self::TwinWrite => "twin_write",
            Self::Query => "query",
            Self::Configuration => "configuration",
            Self::Job => "job",
        }
    }

    /// The quota that the hub counts it against.
    fn quota(self) -> OperationClass {
        match self {
            Self::RegistryRead | Self::RegistryWrite => OperationClass::Registry,
            Self::TwinRead => OperationClass::TwinRead,
            Self::TwinWrite => OperationClass::TwinWrite,
            Self::Query => OperationClass::Query,
            Self::Configuration => OperationClass::Configuration,
            Self::Job => OperationClass::Job,
        }
    }
}

impl Request {
    pub(super) fn new(class: Class, method: Method, segments: &[&str]) -> Self {
        let path = segments
            .iter()
            .map(|text| path::encode_segment(text))
            .collect::<Vec<_>>();
        let request = Self {
            class,
            method,
            path: path.join("/"),
            query: Vec::new(),
            headers: HeaderMap::new(),
            body: None,
            is_broken: false,
        };
        request.query("api-version", api_version::SENT)
    }

    /// Adds a parameter.
    pub(super) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.push((name, path::encode_segment(value)));
        self
    }

    pub(super) fn body(mut self, body: &Value) -> Self {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        self.headers.insert(CONTENT_TYPE, json);
        Self {
            body: Some(body.to_string().into_bytes()),
            ..self
        }
    }

    pub(super) fn if_match(self, tag: &str) -> Self {
        self.header(IF_MATCH.as_str(), &etag::quote(etag::unquote(tag)))
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.headers.insert(name, value);
            }
            Err(_) => self.is_broken = true,
        }
        self
    }

    fn url(&self, host: &str) -> String {
        let pairs = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let query = pairs.collect::<Vec<_>>().join("&");
        format!("https://{host}/{}?{query}", self.path)
    }
}

impl Reply {
    /// The body. What cannot be read leaves it open what the hub did.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, HubError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Cause::Unreadable(error.to_string()).into())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }
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

    pub(super) fn call_deadline(&self) -> Duration {
        self.call_deadline
    }

    /// Whether what authorises a call stays good after its deadline.
    pub(super) fn authority_outlives_call(&self) -> bool {
        self.tokens.outlives_call()
    }

    /// Begins a call: its deadline runs from now.
    pub(super) fn begin(&self) -> Call<'_> {
        let now = Instant::now();
        Call {
            transport: self,
            patience: now + self.call_deadline / 2,
            deadline: now + self.call_deadline,
            expiry: SystemTime::now() + self.call_deadline,
            has_sent: AtomicBool::new(false),
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

    async fn attempt(&self, request: Request) -> Result<Reply, HubError> {
        if request.is_broken {
            return Err(Rejection::Invalid("an etag or cursor cannot be sent".to_owned()).into());
        }
        let class = request.class;
        self.take_room(class).await?;
        let token = self.token().await?;
        if Instant::now() >= self.deadline || SystemTime::now() >= self.expiry {
            // The deadline passed before anything was sent, perhaps in the machine's sleep.
            return Err(Rejection::Unreachable("no time was left to send".to_owned()).into());
        }
        let request = self.build(request, token)?;
        self.has_sent.store(true, Ordering::Relaxed);
        let answer = self.exchange(request).await?;
        self.judge(class, answer)
    }

    /// Waits until the budget has room.
    async fn take_room(&self, class: Class) -> Result<(), HubError> {
        let until = if self.has_sent.load(Ordering::Relaxed) {
            self.deadline
        } else {
            self.patience
        };
        let start = Instant::now();
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

    /// What an answer means, also for the calls that come after.
    fn judge(&self, class: Class, answer: Answer) -> Result<Reply, HubError> {
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
            return Ok(Reply { headers, body });
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
        Err(refused.error())
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

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_the_version_is_always_there() {
        let request = Request::new(Class::Job, Method::GET, &["jobs", "v2", "a b"])
            .query("jobType", "schedule&update");
        assert_eq!(
            request.url("h:8443"),
            "https://h:8443/jobs/v2/a%20b?api-version=2021-04-12&jobType=schedule%26update"
        );
    }

    #[test]
    fn an_etag_goes_out_in_quotes_whatever_it_came_in() {
        for tag in ["MA==", ""MA == ""] {
            let request = Request::new(Class::Configuration, Method::PUT, &["configurations", "c"]);
            let request = request.if_match(tag);
            assert_eq!(text(&request.headers, "if-match"), Some(""MA == ""));
        }
    }
}
