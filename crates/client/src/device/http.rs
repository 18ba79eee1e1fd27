//! What goes over the wire: one question, one presentation, one key set.

use std::time::Duration;

use hubshift_domain::id::FleetId;
use hubshift_domain::route::{KeySet, KeySetError};
use reqwest::header::{ETAG, HeaderMap, IF_NONE_MATCH, RETRY_AFTER};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Answer, Core};

/// No concierge gets longer for one request.
const DEADLINE: Duration = Duration::from_secs(5);
/// No answer is longer, bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// Why a concierge gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// It can't be reached, or the connection broke.
    #[error("the concierge can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// It refused.
    #[error("the concierge answered {status}: {reason}")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The stable reason, `FLEET_NOT_FOUND`; empty when it gave none.
        reason: String,
        /// How much time it asked for, with 429 or 503.
        retry_after: Option<Duration>,
    },
    /// Its answer is not what it should be.
    #[error("the concierge's answer can't be read")]
    Malformed,
    /// Its key set is refused.
    #[error("the concierge's key set is refused")]
    Keys(#[source] KeySetError),
}

impl HttpError {
    /// How much time the concierge asked for.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Unreachable(_) | Self::Malformed | Self::Keys(_) => None,
        }
    }
}

/// What a device asks.
#[derive(Debug, Clone)]
pub(super) struct Question {
    fleet: FleetId,
    query: Vec<(&'static str, String)>,
}

impl Question {
    /// For a device: who asks, and what it echoes.
    pub(super) fn of(core: &Core) -> Self {
        let (epoch, hub, error) = core.echo();
        let epoch = if epoch == 0 {
            String::new()
        } else {
            epoch.to_string()
        };
        let query = [
            ("device", core.device().to_string()),
            ("epoch", epoch),
            ("hub", hub.to_owned()),
            ("error", error.to_owned()),
        ];
        Self {
            fleet: core.fleet().clone(),
            query: query
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        }
    }

    /// For all devices of a fleet: a cache may answer it.
    pub(super) fn of_fleet(fleet: &FleetId) -> Self {
        Self {
            fleet: fleet.clone(),
            query: Vec::new(),
        }
    }
}

/// What came back for a question.
pub(super) enum Got {
    /// An answer, and the tag to ask with the next time.
    Answer(Answer, Option<String>),
    /// What the tag stands for is still right.
    NotModified,
}

#[derive(Deserialize)]
struct Refusal {
    reason: String,
}

/// An HTTP client for devices, to be shared by as many as live in the process. `ca_pem`: the
/// authorities that may have signed the concierge's certificate; without it only plain HTTP works.
///
/// # Errors
/// The certificates can't be read.
pub fn http_client(ca_pem: Option<&[u8]>) -> Result<Client, reqwest::Error> {
    let mut builder = Client::builder()
        .timeout(DEADLINE)
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = ca_pem {
        for certificate in Certificate::from_pem_bundle(pem)? {
            builder = builder.add_root_certificate(certificate);
        }
    }
    builder.build()
}

/// The key set of a concierge, believed for its TLS certificate alone: for a first installation.
/// Devices in the field pin keys or the recovery key.
///
/// # Errors
/// See [`HttpError`].
pub async fn fetch_keys(http: &Client, concierge: &Url) -> Result<KeySet, HttpError> {
    let document = key_document(http, concierge).await?;
    KeySet::from_json(&document).map_err(HttpError::Keys)
}

pub(super) async fn key_document(http: &Client, concierge: &Url) -> Result<Vec<u8>, HttpError> {
    let url = at(concierge, "/.well-known/hubshift/keys");
    let response = http.get(url).send().await.map_err(HttpError::Unreachable)?;
    body(good(response).await?).await
}

/// Asks one concierge.
pub(super) async fn ask(
    http: &Client,
    concierge: &Url,
    question: &Question,
    etag: Option<&str>,
) -> Result<Got, HttpError> {
    let url = at(
        concierge,
        &format!("/v1/fleets/{}/endpoint", question.fleet),
    );
    let mut request = http.get(url);
    if !question.query.is_empty() {
        request = request.query(&question.query);
    }
    if let Some(etag) = etag {
        request = request.header(IF_NONE_MATCH, etag);
    }
    let response = request.send().await.map_err(HttpError::Unreachable)?;
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(Got::NotModified);
    }
    let response = good(response).await?;
    let etag = response
        .headers()
        .get(ETAG)
        .and_then(|tag| tag.to_str().ok())
        .map(str::to_owned);
    let answer =
        serde_json::from_slice(&body(response).await?).map_err(|_| HttpError::Malformed)?;
    Ok(Got::Answer(answer, etag))
}

/// Presents a signed route to a concierge that knows less.
pub(super) async fn present(
    http: &Client,
    concierge: &Url,
    fleet: &FleetId,
    route: &str,
) -> Result<(), HttpError> {
    let url = at(concierge, &format!("/v1/fleets/{fleet}/route"));
    let body = serde_json::json!({ "route": route });
    let response = http
        .post(url)
        .json(&body)
        .send()
        .await
        .map_err(HttpError::Unreachable)?;
    good(response).await.map(drop)
}

fn at(concierge: &Url, path: &str) -> String {
    format!("{}{path}", concierge.as_str().trim_end_matches('/'))
}

async fn good(response: Response) -> Result<Response, HttpError> {
    let status = response.status();
    if status == StatusCode::OK {
        return Ok(response);
    }
    let retry_after = match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            retry_after(response.headers(), OffsetDateTime::now_utc())
        }
        _ => None,
    };
    let body = body(response).await.unwrap_or_default();
    let reason =
        serde_json::from_slice(&body).map_or(String::new(), |refusal: Refusal| refusal.reason);
    Err(HttpError::Status {
        status: status.as_u16(),
        reason,
        retry_after,
    })
}

/// `Retry-After` in either of its forms: seconds, or a date that lies ahead.
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(text, &Rfc2822).ok()?;
    Duration::try_from(date - now).ok()
}

async fn body(mut response: Response) -> Result<Vec<u8>, HttpError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(HttpError::Unreachable)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(HttpError::Malformed);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_read_in_both_forms_and_nothing_else() {
        let now = OffsetDateTime::from_unix_timestamp(784_111_777).unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("120"), Some(Duration::from_secs(120)));
        // 60 seconds after `now`, then before it.
        let minute = Some(Duration::from_secs(60));
        assert_eq!(read("Sun, 06 Nov 1994 08:50:37 GMT"), minute);
        for nothing in ["Sun, 06 Nov 1994 08:48:37 GMT", "-1", "soon", ""] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
