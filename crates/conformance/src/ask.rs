//! One request to the hub, written as a check says it, and its answer.
//!
//! A 429 is waited out here, since it says for certain that nothing was done. How often that
//! happened is counted.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hubshift_azure::{ConnectionString, Secret, api_version, headers, path, sas};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;

/// How long a token is good.
const TOKEN: time::Duration = time::Duration::minutes(5);
/// How long to wait when the hub is busy and does not say how long.
const WAIT: Duration = Duration::from_secs(10);
/// How often.
const WAITS: u32 = 12;

/// No answer to judge. No text has a key or a token in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The hub cannot be reached, or did not answer in time.
    #[error("the hub did not answer")]
    NoAnswer(#[source] reqwest::Error),
    /// The hub is busy and stays so.
    #[error("the hub answers 429 for two minutes")]
    Busy,
    /// The policy's key cannot sign.
    #[error("no token can be made of the policy's key")]
    Token(#[source] sas::SasError),
}

/// The way to the hub.
pub(crate) struct Hub {
    client: Client,
    host: String,
    policy: String,
    key: Secret,
    throttled: AtomicU32,
    told_to_wait: AtomicU32,
}

/// A request that is being written.
pub(crate) struct Ask<'a> {
    hub: &'a Hub,
    method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    authorization: Option<Secret>,
}

/// What the hub answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    /// Null where the body is empty or no JSON.
    pub(crate) body: Value,
}

impl Hub {
    pub(crate) fn new(client: Client, connection: ConnectionString) -> Self {
        Self {
            client,
            host: connection.host,
            policy: connection.policy,
            key: connection.key,
            throttled: AtomicU32::new(0),
            told_to_wait: AtomicU32::new(0),
        }
    }

    /// Begins a request; the segments are encoded here.
    pub(crate) fn ask(&self, method: Method, segments: &[&str]) -> Ask<'_> {
        let segments = segments.iter().map(|text| path::encode_segment(text));
        Ask {
            hub: self,
            method,
            path: segments.collect::<Vec<_>>().join("/"),
            query: vec![("api-version", api_version::SENT.to_owned())],
            headers: Vec::new(),
            body: None,
            authorization: None,
        }
    }

    /// How often the hub answered 429, and how often it said how long to wait.
    pub(crate) fn throttled(&self) -> (u32, u32) {
        let read = |count: &AtomicU32| count.load(Ordering::Relaxed);
        (read(&self.throttled), read(&self.told_to_wait))
    }

    /// A token of our policy, signed with any key, good until a time from now.
    pub(crate) fn token(&self, key: &Secret, good: time::Duration) -> Result<Secret, CallError> {
        let expiry = OffsetDateTime::now_utc() + good;
        sas::token(&self.host, key, Some(&self.policy), expiry).map_err(CallError::Token)
    }

    /// The policy's key.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }
}

impl Ask<'_> {
    /// A condition, as the header is to have it, quotes included.
    pub(crate) fn if_match(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: &str) -> Self {
        self.query.retain(|(known, _)| *known != name);
        self.query.push((name, value.to_owned()));
        self
    }

    pub(crate) fn without_version(mut self) -> Self {
        self.query.clear();
        self
    }

    /// The path with a slash at its end.
    pub(crate) fn trailing_slash(mut self) -> Self {
        self.path.push('/');
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(body.to_string())
    }

    pub(crate) fn text(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self.header("content-type", "application/json; charset=utf-8")
    }

    /// Another token than the policy's.
    pub(crate) fn authorization(mut self, token: Secret) -> Self {
        self.authorization = Some(token);
        self
    }

    /// Sends it, again and again while the hub is busy.
    pub(crate) async fn send(self) -> Result<Answer, CallError> {
        for _ in 0..WAITS {
            let answer = self.once().await?;
            if answer.status != StatusCode::TOO_MANY_REQUESTS.as_u16() {
                return Ok(answer);
            }
            self.hub.throttled.fetch_add(1, Ordering::Relaxed);
            let told = answer.header(RETRY_AFTER.as_str()).parse().ok();
            if told.is_some() {
                self.hub.told_to_wait.fetch_add(1, Ordering::Relaxed);
            }
            tokio::time::sleep(told.map_or(WAIT, Duration::from_secs)).await;
        }
        Err(CallError::Busy)
    }

    async fn once(&self) -> Result<Answer, CallError> {
        let token = match &self.authorization {
            Some(token) => token.clone(),
            None => self.hub.token(&self.hub.key, TOKEN)?,
        };
        let pairs = self.query.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={}", path::encode_segment(value)));
        let query = pairs.collect::<Vec<_>>().join("&");
        let url = format!("https://{}/{}?{query}", self.hub.host, self.path);
        let mut request = self
            .hub
            .client
            .request(self.method.clone(), url)
            .header("authorization", token.expose());
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &self.body {
            request = request.body(body.clone());
        }
        let response = request.send().await.map_err(CallError::NoAnswer)?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.map_err(CallError::NoAnswer)?;
        Ok(Answer {
            status,
            headers,
            body: serde_json::from_slice(&body).unwrap_or_default(),
        })
    }
}

impl Answer {
    /// A header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// The error's name, from its header.
    pub(crate) fn error(&self) -> &str {
        self.header(headers::ERROR_CODE)
    }

    /// A text in the body, by JSON pointer; empty where there is none.
    pub(crate) fn at(&self, pointer: &str) -> &str {
        let value = self.body.pointer(pointer);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn etag(&self) -> &str {
        self.at("/etag")
    }
}
