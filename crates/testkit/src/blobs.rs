//! A blob service in process, with one container: what jobs ask of one, and permissions to take
//! away. It is as strict as the real one where a client could be wrong: signatures, lengths,
//! block lists.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use hubshift_azure::path;
use tokio::net::TcpListener;

/// What stands in `sig`, and nowhere else.
pub const CANARY: &str = "canarysignature";
const CONTAINER: &str = "/devstoreaccount1/box";

#[derive(Default)]
struct Content {
    blobs: BTreeMap<String, Blob>,
    blocks: BTreeMap<(String, String), Bytes>,
    /// The letter of a permission that is taken away.
    denied: Option<char>,
    /// `METHOD NAME COMP` of each call.
    calls: Vec<String>,
    writes: u64,
}

struct Blob {
    body: Bytes,
    etag: String,
}

/// The service. It ends with the runtime that it was started in.
pub struct Blobs {
    addr: SocketAddr,
    content: Arc<Mutex<Content>>,
}

impl Blobs {
    /// Starts it, with an empty container.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let content: Arc<Mutex<Content>> = Arc::default();
        let router = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&content));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { addr, content }
    }

    /// The container's URI with every permission.
    pub fn uri(&self) -> String {
        self.uri_with("racwdl")
    }

    /// The container's URI with these permissions.
    pub fn uri_with(&self, permissions: &str) -> String {
        format!(
            "{}?sv=2024-11-04&sr=c&sp={permissions}&sig={CANARY}",
            self.uri_without_sas()
        )
    }

    /// The container's URI alone, which opens nothing.
    pub fn uri_without_sas(&self) -> String {
        format!("http://{}{CONTAINER}", self.addr)
    }

    /// Takes a permission away, whatever the SAS says.
    pub fn deny(&self, letter: char) {
        self.content().denied = Some(letter);
    }

    /// Puts a blob, past the service.
    pub fn put(&self, name: &str, text: &str) {
        let body = Bytes::from(text.to_owned());
        self.content().put(name, body);
    }

    /// What is in a blob; nothing if it is not there.
    pub fn text(&self, name: &str) -> Option<String> {
        let content = self.content();
        let blob = content.blobs.get(name)?;
        Some(String::from_utf8(blob.body.to_vec()).unwrap())
    }

    /// The names of all blobs, in order.
    pub fn names(&self) -> Vec<String> {
        self.content().blobs.keys().cloned().collect()
    }

    /// The calls that came, as `METHOD NAME COMP`.
    pub fn calls(&self) -> Vec<String> {
        self.content().calls.clone()
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }
}

impl Content {
    fn put(&mut self, name: &str, body: Bytes) {
        self.writes += 1;
        let etag = format!("\"0x{:X}\"", self.writes);
        self.blobs.insert(name.to_owned(), Blob { body, etag });
    }

    /// Puts the blob together. A block that is not there makes the list invalid.
    fn commit(&mut self, name: &str, list: &str) -> bool {
        let mut whole = Vec::new();
        for part in list.split("<Latest>").skip(1) {
            let (id, _) = part.split_once("</Latest>").unwrap();
            match self.blocks.get(&(name.to_owned(), id.to_owned())) {
                Some(block) => whole.extend_from_slice(block),
                None => return false,
            }
        }
        self.put(name, whole.into());
        true
    }
}

async fn serve(
    State(content): State<Arc<Mutex<Content>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut content = content.lock().unwrap();
    let query: BTreeMap<String, String> = uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), path::decode_segment(value).unwrap()))
        .collect();
    match query.get("sig").map(String::as_str) {
        Some(CANARY) => {}
        Some(_) => return error(403, "AuthenticationFailed"),
        None => return error(404, "ResourceNotFound"),
    }
    let Some(name) = uri.path().strip_prefix(CONTAINER) else {
        return error(404, "ContainerNotFound");
    };
    let name = path::decode_segment(name.trim_start_matches('/')).unwrap();
    let comp = query.get("comp").map_or("", String::as_str);
    content.calls.push(format!("{method} {name} {comp}"));
    let (letter, has_length) = match (&method, comp) {
        (&Method::PUT, _) => ('w', headers.contains_key("content-length")),
        (&Method::DELETE, _) => ('d', true),
        (_, "list") => ('l', true),
        _ => ('r', true),
    };
    if content.denied == Some(letter) {
        return error(403, "AuthorizationPermissionMismatch");
    }
    if !has_length {
        return error(411, "MissingContentLengthHeader");
    }
    match (letter, comp) {
        ('w', "block") => {
            content
                .blocks
                .insert((name, query["blockid"].clone()), body);
            answer(201, &[], Bytes::new())
        }
        ('w', "blocklist") => {
            let list = String::from_utf8(body.to_vec()).unwrap();
            match content.commit(&name, &list) {
                true => answer(201, &[], Bytes::new()),
                false => error(400, "InvalidBlockList"),
            }
        }
        ('w', _) if !headers.contains_key("x-ms-blob-type") => error(400, "MissingRequiredHeader"),
        ('w', _) => {
            content.put(&name, body);
            answer(201, &[], Bytes::new())
        }
        ('l', _) => answer(200, &[], Bytes::from_static(b"<EnumerationResults/>")),
        ('d', _) => match content.blobs.remove(&name) {
            Some(_) => answer(202, &[], Bytes::new()),
            None => error(404, "BlobNotFound"),
        },
        _ => match content.blobs.get(&name) {
            Some(blob) => read(blob, &headers),
            None => error(404, "BlobNotFound"),
        },
    }
}

/// A range of a blob. Clients here always ask for one.
fn read(blob: &Blob, headers: &HeaderMap) -> Response {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    if text("if-match").is_some_and(|etag| etag != blob.etag) {
        return error(412, "ConditionNotMet");
    }
    let range = text("range")
        .and_then(|range| range.strip_prefix("bytes="))
        .unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let total = blob.body.len();
    let start: usize = start.parse().unwrap();
    let end = total.min(end.parse::<usize>().unwrap() + 1);
    if start >= total {
        return error(416, "InvalidRange");
    }
    let headers = [
        (
            "content-range",
            format!("bytes {start}-{}/{total}", end - 1),
        ),
        ("etag", blob.etag.clone()),
    ];
    answer(206, &headers, blob.body.slice(start..end))
}

fn error(status: u16, code: &str) -> Response {
    answer(
        status,
        &[("x-ms-error-code", code.to_owned())],
        Bytes::new(),
    )
}

fn answer(status: u16, headers: &[(&str, String)], body: Bytes) -> Response {
    let mut response = Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    response.body(Body::from(body)).unwrap()
}
