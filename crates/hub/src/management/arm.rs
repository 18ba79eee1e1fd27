//! Requests to the management plane, under the deadline of the call that they belong to.

use std::time::{Duration, SystemTime};

use hubshift_azure::{Secret, origin};
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH, RETRY_AFTER,
};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::resource::{Described, Policies, PolicyKeys, is_resource_id};
use super::settings::ManagementSettings;
use crate::auth::{EntraTokens, TokenProvider as _, TokenRequest};
use crate::http::{self, Failure};
use crate::outcome::{Cause, HubError, Rejection};
use crate::setup::HubSetupError;

/// The version of the hubs' management API.
const API_VERSION: &str = "2023-06-30";
/// The plane's answers to too many requests say how long to wait; this is for those that do not.
const DEFAULT_RETRY: Duration = Duration::from_secs(10);
/// While a hub changes, it takes no other change.
const CHANGING: Duration = Duration::from_secs(30);

/// The way to one hub at the management plane.
pub(super) struct Plane {
    client: Client,
    endpoint: String,
    resource_id: String,
    tokens: EntraTokens,
    deadline: Duration,
    poll_interval: Duration,
}

/// One call, which is several requests, and its deadline.
pub(super) struct Run<'a> {
    plane: &'a Plane,
    deadline: Instant,
    expiry: SystemTime,
}

/// A successful answer.
struct Reply {
    body: Vec<u8>,
    retry_after: Option<Duration>,
}

impl Plane {
    pub(super) fn new(settings: ManagementSettings) -> Result<Self, HubSetupError> {
        let endpoint = origin(&settings.endpoint).ok_or(HubSetupError::Management)?;
        if !is_resource_id(&settings.resource_id) {
            return Err(HubSetupError::Resource);
        }
        if settings.deadline.is_zero() {
            return Err(HubSetupError::Deadline);
        }
        let (ca_pem, deadline) = (settings.ca_pem.as_deref(), settings.deadline);
        let scope = format!("{endpoint}/.default");
        Ok(Self {
            client: http::client(ca_pem, deadline, false)?,
            tokens: EntraTokens::new(settings.login, scope, ca_pem, deadline)?,
            endpoint,
            resource_id: settings.resource_id,
            deadline,
            poll_interval: settings.poll_interval,
        })
    }

    pub(super) fn resource_id(&self) -> &str {
        &self.resource_id
    }

    /// Begins a call: its deadline runs from now.
    pub(super) fn begin(&self) -> Run<'_> {
        Run {
            plane: self,
            deadline: Instant::now() + self.deadline,
            expiry: SystemTime::now() + self.deadline,
        }
    }

    fn url(&self, action: &str) -> String {
        format!(
            "{}{}{action}?api-version={API_VERSION}",
            self.endpoint, self.resource_id
        )
    }
}

impl Run<'_> {
    /// The hub as it is described now.
    pub(super) async fn describe(&self) -> Result<Described, HubError> {
        let url = self.plane.url("");
        let reply = self.send(Method::GET, url, HeaderMap::new(), None).await?;
        Described::read(json(&reply)?)
    }

    /// The policies with their keys.
    pub(super) async fn keys(&self) -> Result<Vec<PolicyKeys>, HubError> {
        let url = self.plane.url("/listkeys");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        let reply = self.send(Method::POST, url, headers, None).await?;
        let policies: Policies = serde_json::from_value(json(&reply)?)
            .map_err(|_| unreadable("the list of policies"))?;
        // What is not in a description that is written is removed from the hub.
        if policies.next_link.is_some_and(|link| !link.is_empty()) {
            return Err(unreadable("a list of policies that has more than one page"));
        }
        Ok(policies.value)
    }

    /// Orders a change of the description with this etag; how long to wait before looking.
    pub(super) async fn order(&self, body: &Value, etag: &str) -> Result<Duration, HubError> {
        let mut headers = HeaderMap::new();
        let etag = HeaderValue::from_str(etag).map_err(|_| unreadable("the etag"))?;
        headers.insert(IF_MATCH, etag);
        let (url, body) = (self.plane.url(""), body.to_string());
        let reply = self.send(Method::PUT, url, headers, Some(body)).await?;
        Ok(reply.retry_after.unwrap_or(self.plane.poll_interval))
    }

    /// Waits before another look.
    pub(super) async fn wait(&self, pause: Option<Duration>) -> Result<(), HubError> {
        let next = Instant::now() + pause.unwrap_or(self.plane.poll_interval);
        if next >= self.deadline {
            return Err(Cause::Timeout.into());
        }
        sleep_until(next).await;
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        url: String,
        headers: HeaderMap,
        body: Option<String>,
    ) -> Result<Reply, HubError> {
        let token = self.token().await?;
        let builder = self.plane.client.request(method, url).headers(headers);
        let builder = builder.header(AUTHORIZATION, token);
        let builder = match body {
            Some(body) => builder.header(CONTENT_TYPE, "application/json").body(body),
            None => builder,
        };
        let answer = async {
            let response = builder.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((status, headers, response.bytes().await?.to_vec()))
        };
        match timeout_at(self.deadline, answer).await {
            Ok(Ok((status, headers, body))) => self.judge(status, &headers, body),
            Ok(Err(error)) => Err(Failure::from(&error).into()),
            Err(_) => Err(Cause::Timeout.into()),
        }
    }

    async fn token(&self) -> Result<HeaderValue, HubError> {
        let request = TokenRequest {
            host: &self.plane.endpoint,
            expiry: self.expiry,
            deadline: self.deadline,
        };
        let token: Secret = self.plane.tokens.authorization(request).await?;
        let mut value = HeaderValue::from_str(token.expose())
            .map_err(|_| Rejection::Invalid("the token cannot be sent".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    fn judge(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: Vec<u8>,
    ) -> Result<Reply, HubError> {
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok());
        let retry_after = http::seconds(retry_after);
        if status.is_success() {
            return Ok(Reply { body, retry_after });
        }
        if status == StatusCode::UNAUTHORIZED {
            self.plane.tokens.refused();
        }
        Err(refusal(status, retry_after, &body))
    }
}

fn json(reply: &Reply) -> Result<Value, HubError> {
    // A parser's words may quote what it read, and there may be keys in it.
    serde_json::from_slice(&reply.body).map_err(|_| unreadable("an answer"))
}

fn unreadable(what: &str) -> HubError {
    Cause::Unreadable(format!("{what} of the management plane")).into()
}

/// What a refusal means. Of its words only the code is kept: the rest may repeat what was sent.
fn refusal(status: StatusCode, retry_after: Option<Duration>, body: &[u8]) -> HubError {
    let text = format!("the management plane says {}", code(status, body));
    let throttled = |pause| Rejection::Throttled {
        retry_after: retry_after.unwrap_or(pause),
    };
    let rejection = match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Rejection::Unauthorized(text),
        StatusCode::PRECONDITION_FAILED => Rejection::PreconditionFailed,
        StatusCode::TOO_MANY_REQUESTS => throttled(DEFAULT_RETRY),
        StatusCode::CONFLICT => throttled(CHANGING),
        _ if status.is_client_error() && status != StatusCode::REQUEST_TIMEOUT => {
            Rejection::Invalid(text)
        }
        // 503 and 408 too: a gateway says them of a change that the plane may have taken on.
        _ => {
            let status = status.as_u16();
            return Cause::ServerError { status, text }.into();
        }
    };
    rejection.into()
}

/// The error's code, or the status where there is none.
fn code(status: StatusCode, body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let named = body["error"]["code"].as_str().or(body["code"].as_str());
    let is_name = |code: &&str| {
        (1..=64).contains(&code.len()) && code.chars().all(|c| c.is_ascii_alphanumeric())
    };
    match named.filter(is_name) {
        Some(code) => code.to_owned(),
        None => format!("status {}", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> HubError {
        refusal(StatusCode::from_u16(status).unwrap(), None, body.as_bytes())
    }

    #[test]
    fn a_refusal_is_named_by_its_code_alone() {
        let body = r#"{"error":{"code":"AuthorizationFailed","message":"canary"}}"#;
        let text = "the management plane says AuthorizationFailed".to_owned();
        assert_eq!(refused(403, body), Rejection::Unauthorized(text).into());
        let text = "the management plane says status 400".to_owned();
        assert_eq!(refused(400, "canary"), Rejection::Invalid(text).into());
    }

    #[test]
    fn a_hub_that_changes_is_waited_for() {
        let wait = |seconds| {
            HubError::from(Rejection::Throttled {
                retry_after: Duration::from_secs(seconds),
            })
        };
        assert_eq!(refused(409, ""), wait(30));
        assert_eq!(refused(429, ""), wait(10));
        assert_eq!(refused(412, ""), Rejection::PreconditionFailed.into());
    }

    #[test]
    fn what_does_not_say_that_nothing_happened_leaves_it_open() {
        for status in [408, 500, 503, 504] {
            let error = refused(status, "");
            assert!(matches!(error, HubError::Unknown(_)), "{status}: {error:?}");
        }
    }
}
