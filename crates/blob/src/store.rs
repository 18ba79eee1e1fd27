//! Calls to the Blob service: one at a time, tried again while the trouble may pass.
//!
//! Every call here may be repeated without harm: blobs and blocks are put whole, block lists name
//! blocks that stay, reads change nothing, and a blob that is gone twice is gone.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_LENGTH, HeaderMap};
use reqwest::{Client, Method, Response, StatusCode, Url, redirect};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};

use crate::address::Address;
use crate::error::ContainerError;

/// The service version that is asked for; blocks are as large as we need since long before.
const VERSION: &str = "2021-12-02";
/// How often a call is sent.
const ATTEMPTS: u32 = 4;
/// How often it is tried to connect: a store that is not there will not be there in a second.
const CONNECTS: u32 = 2;
/// How long to wait before the second time; doubled for each further one.
const PAUSE: Duration = Duration::from_millis(200);
/// How long connecting may take.
const MAX_CONNECT: Duration = Duration::from_secs(5);
/// How long one attempt may take with everything that it carries.
const MAX_ATTEMPT: Duration = Duration::from_secs(60);
/// What is said of a store that takes no connection.
const NO_CONNECTION: &str = "no connection";
/// The largest answer that is taken: a server that ignores ranges must not fill the memory.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// A container and the client that speaks to it.
pub(crate) struct Store {
    pub(crate) address: Address,
    client: Client,
}

/// One call. Never shown: its URL has the SAS in it.
pub(crate) struct Call {
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

/// Its answer.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    headers: HeaderMap,
}

impl Call {
    pub(crate) fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(self, body: Bytes) -> Self {
        let body = Some(body);
        Self { body, ..self }
    }
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The service's name for an error, if it is a plain word.
    pub(crate) fn code(&self) -> Option<&str> {
        self.header("x-ms-error-code")
            .filter(|code| code.len() <= 64 && code.chars().all(|c| c.is_ascii_alphabetic()))
    }

    /// Success, or what the answer means.
    pub(crate) fn ok(self) -> Result<Self, ContainerError> {
        if self.status.is_success() {
            Ok(self)
        } else {
            Err(self.refused())
        }
    }

    /// What an answer means that is none that was hoped for.
    pub(crate) fn refused(&self) -> ContainerError {
        match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ContainerError::Denied,
            StatusCode::NOT_FOUND => ContainerError::NotFound,
            StatusCode::PAYLOAD_TOO_LARGE => ContainerError::TooLarge,
            status if is_passing(status) => ContainerError::Unreachable(self.shown()),
            _ => ContainerError::Failed(self.shown()),
        }
    }

    fn shown(&self) -> String {
        let status = self.status.as_u16();
        match self.code() {
            Some(code) => format!("status {status} {code}"),
            None => format!("status {status}"),
        }
    }
}

impl Store {
    pub(crate) fn new(address: Address) -> Result<Self, ContainerError> {
        let client = client()?;
        Ok(Self { address, client })
    }

    /// Puts a whole blob.
    pub(crate) async fn put(&self, name: &str, body: Bytes) -> Result<(), ContainerError> {
        let call = Call::new(Method::PUT, self.address.blob(name, "")?)
            .header("x-ms-blob-type", "BlockBlob")
            .body(body);
        self.send(&call).await?.ok().map(|_| ())
    }

    /// Sends a call until it is answered, or often enough.
    pub(crate) async fn send(&self, call: &Call) -> Result<Reply, ContainerError> {
        let mut attempt = 1;
        loop {
            let answer = self.send_once(call).await;
            let most = match &answer {
                Ok(reply) if is_passing(reply.status) => ATTEMPTS,
                Err(ContainerError::Unreachable(words)) if words == NO_CONNECTION => CONNECTS,
                Err(ContainerError::Unreachable(_)) => ATTEMPTS,
                _ => 1,
            };
            if attempt >= most {
                return answer;
            }
            tokio::time::sleep(PAUSE * 2_u32.pow(attempt - 1)).await;
            attempt += 1;
        }
    }

    async fn send_once(&self, call: &Call) -> Result<Reply, ContainerError> {
        let mut request = self
            .client
            .request(call.method.clone(), call.url.clone())
            .header("x-ms-version", VERSION);
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(body) = &call.body {
            // An empty body would go without a length, which the service does not take.
            request = request
                .header(CONTENT_LENGTH, body.len().to_string())
                .body(body.clone());
        }
        let response = request.send().await.map_err(|error| no_answer(&error))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = whole(response, MAX_ANSWER).await?;
        Ok(Reply {
            status,
            body,
            headers,
        })
    }
}

/// The body of an answer, however long the server says it is.
async fn whole(mut response: Response, most: usize) -> Result<Bytes, ContainerError> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| no_answer(&error))? {
        if body.len() + piece.len() > most {
            return Err(ContainerError::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// The client's own words quote the URL, so only the kind of trouble is told.
fn no_answer(error: &reqwest::Error) -> ContainerError {
    let words = if error.is_timeout() {
        "no answer in time"
    } else if error.is_connect() {
        NO_CONNECTION
    } else {
        "the connection broke"
    };
    ContainerError::Unreachable(words.to_owned())
}

/// Whether the same call may have another answer soon.
fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn client() -> Result<Client, ContainerError> {
    let failed = |_| ContainerError::Failed("TLS cannot be set up".to_owned());
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder()
        .use_preconfigured_tls(tls)
        .no_proxy()
        // A redirect would carry the SAS elsewhere.
        .redirect(redirect::Policy::none())
        .connect_timeout(MAX_CONNECT)
        .timeout(MAX_ATTEMPT)
        .build()
        .map_err(|_| ContainerError::Failed("the HTTP client cannot be set up".to_owned()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    fn reply(status: u16, code: &'static str) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", HeaderValue::from_static(code));
        Reply {
            status: StatusCode::from_u16(status).unwrap(),
            body: Bytes::new(),
            headers,
        }
    }

    #[test]
    fn answers_are_told_apart_by_what_can_be_done_about_them() {
        let of = |status| reply(status, "Word").refused();
        assert_eq!(of(403), ContainerError::Denied);
        assert_eq!(of(404), ContainerError::NotFound);
        assert_eq!(of(413), ContainerError::TooLarge);
        let busy = "status 503 Word".to_owned();
        assert_eq!(of(503), ContainerError::Unreachable(busy));
        let odd = "status 409 Word".to_owned();
        assert_eq!(of(409), ContainerError::Failed(odd));
    }

    #[test]
    fn an_error_name_that_is_no_word_is_not_passed_on() {
        assert_eq!(reply(400, "sig=canary").code(), None);
        assert_eq!(
            reply(400, "AuthenticationFailed").code(),
            Some("AuthenticationFailed")
        );
    }

    /// The answer of a server that does not say how long it is.
    async fn chunked() -> Response {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0_u8; 1024];
            assert!(stream.read(&mut asked).await.unwrap() > 0);
            let answer = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                          4\r\nfour\r\n4\r\nfive\r\n0\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let url = format!("http://{address}/");
        client().unwrap().get(url).send().await.unwrap()
    }

    #[tokio::test]
    async fn an_answer_of_unknown_length_is_not_taken_without_end() {
        assert_eq!(whole(chunked().await, 8).await.unwrap(), "fourfive");
        let refused = whole(chunked().await, 7).await.unwrap_err();
        assert_eq!(refused, ContainerError::TooLarge);
    }

    #[test]
    fn a_client_can_be_made() {
        assert!(client().is_ok());
    }
}
