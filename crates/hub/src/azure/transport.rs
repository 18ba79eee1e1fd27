//! Sending one request to a hub, under the deadline of the call that it belongs to.
//!
//! The token that authorises a request expires with the deadline, so that the hub cannot carry
//! out later what we no longer wait for. Every request is counted.

use std::fmt;
use std::time::{Duration, SystemTime};

use hubshift_azure::{Secret, api_version, etag, headers, is_host, path, sas};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use reqwest::{Client, Method, StatusCode};
use secrecy::ExposeSecret as _;
use serde::de::DeserializeOwned;
use serde_json::Value;
use time::OffsetDateTime;
use tokio::time::Instant;

use super::client::client;
use super::failure;
use super::settings::{AzureSettings, HubSetupError};
use crate::outcome::{Cause, HubError, Outcome, Rejection};

/// A class of calls: the hub has a budget for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    RegistryRead,
    RegistryWrite,
    TwinRead,
    TwinWrite,
    Query,
}

/// A request to be sent.
pub(super) struct Request {
    class: Class,
    method: Method,
    path: String,
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

/// The way to one hub.
pub(super) struct Transport {
    client: Client,
    host: String,
    policy: String,
    key: Secret,
    call_deadline: Duration,
}

/// One call, which may be several requests, and its deadline.
pub(super) struct Call<'a> {
    transport: &'a Transport,
    deadline: Instant,
    /// The same moment by the wall clock, which also runs while the machine sleeps.
    expiry: SystemTime,
}

impl Class {
    fn label(self) -> &'static str {
        match self {
            Self::RegistryRead => "registry_read",
            Self::RegistryWrite => "registry_write",
            Self::TwinRead => "twin_read",
            Self::TwinWrite => "twin_write",
            Self::Query => "query",
        }
    }
}

impl Request {
    pub(super) fn new(class: Class, method: Method, segments: &[&str]) -> Self {
        let path = segments
            .iter()
            .map(|text| path::encode_segment(text))
            .collect::<Vec<_>>();
        let (headers, body) = (HeaderMap::new(), None);
        Self {
            class,
            method,
            path: path.join("/"),
            headers,
            body,
            is_broken: false,
        }
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
}

impl Reply {
    /// The body. What cannot be read leaves it open what the hub did.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, HubError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Cause::Unreadable(error.to_string()).into())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

impl Transport {
    pub(super) fn new(settings: AzureSettings) -> Result<Self, HubSetupError> {
        let key = Secret::new(settings.key.expose_secret());
        if !is_host(&settings.host) {
            return Err(HubSetupError::Host);
        }
        key.decode().map_err(|_| HubSetupError::Key)?;
        if settings.call_deadline.is_zero() {
            return Err(HubSetupError::Deadline);
        }
        let client = client(settings.ca_pem.as_deref(), settings.call_deadline)?;
        let AzureSettings {
            host,
            policy,
            call_deadline,
            ..
        } = settings;
        Ok(Self {
            client,
            host,
            policy,
            key,
            call_deadline,
        })
    }

    pub(super) fn call_deadline(&self) -> Duration {
        self.call_deadline
    }

    /// Begins a call: its deadline runs from now.
    pub(super) fn begin(&self) -> Call<'_> {
        Call {
            transport: self,
            deadline: Instant::now() + self.call_deadline,
            expiry: SystemTime::now() + self.call_deadline,
        }
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport")
            .field("host", &self.host)
            .field("policy", &self.policy)
            .field("call_deadline", &self.call_deadline)
            .finish_non_exhaustive()
    }
}

impl Call<'_> {
    /// Sends a request and reads the whole answer, within the deadline of the call.
    pub(super) async fn send(&self, request: Request) -> Result<Reply, HubError> {
        let class = request.class.label();
        let outcome = Outcome::from(self.exchange(request).await);
        metrics::counter!(
            "hubshift_hub_calls_total",
            "hub" => self.transport.host.clone(),
            "class" => class,
            "outcome" => outcome.label(),
        )
        .increment(1);
        outcome.into_result()
    }

    async fn exchange(&self, request: Request) -> Result<Reply, HubError> {
        let Some(request) = self.prepare(request)? else {
            // The deadline passed before anything was sent, perhaps in the machine's sleep.
            return Err(Rejection::Unreachable("no time was left to send".to_owned()).into());
        };
        let answer = async {
            let response = self.transport.client.execute(request).await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.bytes().await?))
        };
        match tokio::time::timeout_at(self.deadline, answer).await {
            Ok(Ok((status, headers, body))) => reply(status, headers, body.to_vec()),
            Ok(Err(error)) => Err(failure::of_exchange(&error)),
            Err(_) => Err(Cause::Timeout.into()),
        }
    }

    /// The request with its token; nothing if the call's time is over.
    fn prepare(&self, request: Request) -> Result<Option<reqwest::Request>, HubError> {
        if request.is_broken {
            return Err(Rejection::Invalid("an etag or cursor cannot be sent".to_owned()).into());
        }
        if Instant::now() >= self.deadline || SystemTime::now() >= self.expiry {
            return Ok(None);
        }
        let Transport { client, host, .. } = self.transport;
        let url = format!(
            "https://{host}/{}?api-version={}",
            request.path,
            api_version::SENT
        );
        let builder = client
            .request(request.method, url)
            .headers(request.headers)
            .header(AUTHORIZATION, self.token()?);
        let builder = match request.body {
            Some(body) => builder.body(body),
            None => builder,
        };
        let built = builder
            .build()
            .map_err(|error| failure::of_exchange(&error))?;
        Ok(Some(built))
    }

    /// A token that expires with the call, to the second.
    fn token(&self) -> Result<HeaderValue, HubError> {
        let Transport {
            host, policy, key, ..
        } = self.transport;
        let expiry = OffsetDateTime::from(self.expiry + Duration::from_millis(999));
        let invalid = |text: String| HubError::from(Rejection::Invalid(text));
        let token = sas::token(host, key, Some(policy), expiry)
            .map_err(|error| invalid(error.to_string()))?;
        let mut value = HeaderValue::from_str(token.expose())
            .map_err(|_| invalid("the policy's name cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

fn reply(status: StatusCode, headers: HeaderMap, body: Vec<u8>) -> Result<Reply, HubError> {
    if status.is_success() {
        return Ok(Reply { headers, body });
    }
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let retry_after = text(reqwest::header::RETRY_AFTER.as_str());
    Err(failure::of_answer(
        status,
        text(headers::ERROR_CODE),
        retry_after,
        &body,
    ))
}
