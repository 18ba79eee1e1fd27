//! What the checks of one run share: the hub, the prefix of everything that is made, and a list
//! of it, which is written before anything is made.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_azure::etag;
use reqwest::Method;
use serde_json::{Value, json};

use crate::ask::{Answer, CallError, Hub};
use crate::check::Failure;

/// Something that was, perhaps, made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Made {
    Device(String),
    Configuration(String),
}

/// A run's room on the hub.
pub(crate) struct Room {
    pub(crate) hub: Hub,
    prefix: String,
    next: AtomicUsize,
    made: Mutex<Vec<Made>>,
}

/// A key of so many bytes, none of them zero.
pub(crate) fn key(byte: u8, length: usize) -> String {
    STANDARD.encode(vec![byte; length])
}

/// Two keys of 32 bytes.
pub(crate) fn sas() -> Value {
    pair(&key(1, 32), &key(2, 32))
}

pub(crate) fn pair(primary: &str, secondary: &str) -> Value {
    json!({"type": "sas", "symmetricKey": {"primaryKey": primary, "secondaryKey": secondary}})
}

impl Room {
    /// `run` is a word that no other run has.
    pub(crate) fn new(hub: Hub, run: &str) -> Self {
        Self {
            hub,
            prefix: format!("hubshift-conformance-{run}-"),
            next: AtomicUsize::new(0),
            made: Mutex::new(Vec::new()),
        }
    }

    /// A name that nothing has.
    pub(crate) fn name(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}{number}", self.prefix)
    }

    /// The same for a device that will be made.
    pub(crate) fn device(&self) -> String {
        let id = self.name();
        self.will_make(&id);
        id
    }

    /// Notes a device of a name that a check chose.
    pub(crate) fn will_make(&self, id: &str) {
        self.note(Made::Device(id.to_owned()));
    }

    /// Takes a device off the list that was, for certain, not made.
    pub(crate) fn forget(&self, id: &str) {
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|made| !matches!(made, Made::Device(known) if known == id));
    }

    /// A name for a configuration that will be made.
    pub(crate) fn configuration(&self) -> String {
        let id = self.name();
        self.note(Made::Configuration(id.clone()));
        id
    }

    fn note(&self, made: Made) {
        let mut all = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(made);
    }

    /// Writes an identity; `more` adds to its id, and takes the place of what is there.
    pub(crate) async fn put(
        &self,
        id: &str,
        if_match: Option<&str>,
        more: Value,
    ) -> Result<Answer, CallError> {
        let mut body = json!({"deviceId": id, "status": "enabled", "authentication": sas()});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        self.put_body(id, if_match, &body).await
    }

    /// Writes an identity with exactly this body.
    pub(crate) async fn put_body(
        &self,
        id: &str,
        if_match: Option<&str>,
        body: &Value,
    ) -> Result<Answer, CallError> {
        let ask = self.hub.ask(Method::PUT, &["devices", id]).json(body);
        match if_match {
            Some(tag) => ask.if_match(tag).send().await,
            None => ask.send().await,
        }
    }

    /// Makes a device with two keys; returns its id and the hub's answer.
    pub(crate) async fn make(&self, more: Value) -> Result<(String, Answer), Failure> {
        let id = self.device();
        let answer = self.put(&id, None, more).await?.good()?;
        Ok((id, answer))
    }

    pub(crate) async fn get(&self, id: &str) -> Result<Answer, CallError> {
        self.hub.ask(Method::GET, &["devices", id]).send().await
    }

    pub(crate) async fn delete(&self, id: &str, tag: &str) -> Result<Answer, CallError> {
        let ask = self.hub.ask(Method::DELETE, &["devices", id]);
        ask.if_match(tag).send().await
    }

    pub(crate) async fn twin(&self, id: &str) -> Result<Answer, CallError> {
        self.hub.ask(Method::GET, &["twins", id]).send().await
    }

    /// Merges into a twin, whatever is there.
    pub(crate) async fn patch(&self, id: &str, body: &Value) -> Result<Answer, CallError> {
        let ask = self.hub.ask(Method::PATCH, &["twins", id]);
        ask.json(body).send().await
    }

    pub(crate) async fn bulk(&self, entries: &Value) -> Result<Answer, CallError> {
        let ask = self.hub.ask(Method::POST, &["devices"]);
        ask.json(entries).send().await
    }

    pub(crate) async fn select(&self, query: &str) -> Result<Answer, CallError> {
        let ask = self.hub.ask(Method::POST, &["devices", "query"]);
        ask.json(&json!({ "query": query })).send().await
    }

    /// Deletes everything that was made, children before parents; returns what is left.
    pub(crate) async fn clean_up(&self) -> Vec<String> {
        let mut left = Vec::new();
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        for thing in made.into_iter().rev() {
            let (area, id) = match &thing {
                Made::Device(id) => ("devices", id),
                Made::Configuration(id) => ("configurations", id),
            };
            let ask = self.hub.ask(Method::DELETE, &[area, id]);
            let gone = ask.if_match(&etag::quote("*")).send().await;
            let is_gone = gone.is_ok_and(|answer| matches!(answer.status, 200..300 | 404));
            if !is_gone {
                left.push(format!("{area}/{id}"));
            }
        }
        left
    }
}
