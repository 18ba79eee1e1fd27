//! A request to a hub and its answer, before and after they are on their way.

use hubshift_azure::quota::OperationClass;
use hubshift_azure::{Authentication, Secret, api_version, etag, path};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, IF_MATCH};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::outcome::{Cause, HubError};

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
    pub(super) class: Class,
    pub(super) method: Method,
    path: String,
    query: Vec<(&'static str, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    /// The keys in the body.
    pub(super) keys: Vec<Secret>,
    /// A header that cannot be written, or must not be, makes the request invalid.
    pub(super) is_broken: bool,
}

/// A successful answer.
pub(super) struct Reply {
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Class {
    /// As metrics have it.
    pub(super) fn label(self) -> &'static str {
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
    pub(super) fn quota(self) -> OperationClass {
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
            keys: Vec::new(),
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

    /// The keys that the body carries: words of the hub that have a part of them are not repeated.
    pub(super) fn carrying(self, authentication: Option<&Authentication>) -> Self {
        let keys = authentication.and_then(Authentication::keys);
        let keys = keys.map(|(primary, secondary)| vec![primary.clone(), secondary.clone()]);
        Self {
            keys: keys.unwrap_or_default(),
            ..self
        }
    }

    /// The etag under which a write goes out. One that would allow whatever is there makes the
    /// request invalid.
    pub(super) fn if_match(self, tag: &str) -> Self {
        let tag = etag::unquote(tag);
        let request = self.header(IF_MATCH.as_str(), &etag::quote(tag));
        Self {
            is_broken: request.is_broken || matches!(tag, "" | "*"),
            ..request
        }
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

    /// Where it goes at a host.
    pub(super) fn url(&self, host: &str) -> String {
        let pairs = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let query = pairs.collect::<Vec<_>>().join("&");
        format!("https://{host}/{}?{query}", self.path)
    }
}

impl Reply {
    pub(super) fn new(headers: HeaderMap, body: Vec<u8>) -> Self {
        Self { headers, body }
    }

    /// The body. What cannot be read leaves it open what the hub did.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, HubError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| Cause::Unreadable(without_values(&error)).into())
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        text(&self.headers, name)
    }
}

/// The reader's words, which quote values: those are left out, as any of them may be a secret.
fn without_values(error: &serde_json::Error) -> String {
    let words = error.to_string();
    if !words.contains('"') {
        return words;
    }
    let (line, column) = (error.line(), error.column());
    format!("it is not what it must be at line {line} column {column}")
}

/// A header's value, if it is text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
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
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        let reply = |body: &[u8]| Reply::new(HeaderMap::new(), body.to_vec());
        let shown = |body: &[u8]| reply(body).json::<Vec<i64>>().unwrap_err().to_string();
        let found = shown(br#"[1, "canary"]"#);
        assert!(
            found.contains("line 1") && !found.contains("canary"),
            "{found}"
        );
        assert!(shown(b"[1").contains("EOF"), "other words are kept");
    }

    #[test]
    fn an_etag_goes_out_in_quotes_whatever_it_came_in() {
        for tag in ["MA==", "\"MA==\""] {
            let request = Request::new(Class::Configuration, Method::PUT, &["configurations", "c"]);
            let request = request.if_match(tag);
            assert_eq!(text(&request.headers, "if-match"), Some("\"MA==\""));
        }
    }
}
