//! A hub in process and a client that speaks plain HTTPS to it.
#![allow(dead_code, reason = "each test binary uses its own part")]

pub(crate) mod jobs;

use std::time::Duration;

use hubshift_azure::{Secret, path, sas};
use hubshift_emulator::{Emulator, Options, Running};
pub(crate) use hubshift_testkit::blobs as blob;
use reqwest::{Certificate, Client, Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use time::OffsetDateTime;

pub(crate) const VERSION: &str = "api-version=2021-04-12";

/// A key of 32 bytes, all the same.
pub(crate) fn key(letter: char) -> Secret {
    Secret::new(format!("{}=", String::from(letter).repeat(43)))
}

pub(crate) fn options() -> Options {
    Options::local("iothubowner", &key('A'))
}

pub(crate) struct Hub {
    pub(crate) running: Running,
    pub(crate) http: Client,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> u16 {
        self.status.as_u16()
    }

    /// The error's name, from the header.
    pub(crate) fn error(&self) -> &str {
        self.header("iothub-errorcode").unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn etag(&self) -> String {
        self.body["etag"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn client(ca_pem: &str) -> Client {
    Client::builder()
        .add_root_certificate(Certificate::from_pem(ca_pem.as_bytes()).unwrap())
        .no_proxy()
        .timeout(Duration::from_secs(20))
        .build()
        .unwrap()
}

pub(crate) async fn start(options: Options) -> Hub {
    let running = Emulator::start(options).await.unwrap();
    let http = client(&running.ca_pem);
    Hub { running, http }
}

pub(crate) async fn hub() -> Hub {
    start(options()).await
}

impl Hub {
    pub(crate) fn owner_token(&self) -> Secret {
        self.token("iothubowner", &key('A'))
    }

    pub(crate) fn token(&self, policy: &str, key: &Secret) -> Secret {
        let expiry = OffsetDateTime::now_utc() + Duration::from_secs(60);
        sas::token(&self.running.host, key, Some(policy), expiry).unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.running.host)
    }

    /// A call as the owner; `path` begins with a slash and has no query.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let url = format!("{}?{VERSION}", self.url(path));
        let mut request = self
            .http
            .request(method, url)
            .header("authorization", self.owner_token().expose());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        answer(request.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], None).await
    }

    pub(crate) async fn put(&self, path: &str, if_match: Option<&str>, body: Value) -> Answer {
        let headers: Vec<_> = if_match
            .map(|etag| ("if-match", etag))
            .into_iter()
            .collect();
        self.call(Method::PUT, path, &headers, Some(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Makes a device with both keys of the letter and returns its answer.
    pub(crate) async fn create(&self, id: &str, letter: char) -> Answer {
        let key = key(letter);
        let body = json!({
            "deviceId": id, "status": "enabled",
            "authentication": {"type": "sas", "symmetricKey": {
                "primaryKey": key.expose(), "secondaryKey": key.expose()}},
        });
        let answer = self.put(&device_path(id), None, body).await;
        assert_eq!(answer.code(), 200, "{}", answer.body);
        answer
    }

    /// Sends a message as a device and returns the status.
    pub(crate) async fn send_event(&self, id: &str, key: &Secret) -> u16 {
        let resource = sas::device_resource(&self.running.host, id);
        let expiry = OffsetDateTime::now_utc() + Duration::from_secs(60);
        let token = sas::token(&resource, key, None, expiry).unwrap();
        let url = format!("{}/messages/events?{VERSION}", self.url(&device_path(id)));
        let request = self
            .http
            .post(url)
            .header("authorization", token.expose())
            .body("hello");
        request.send().await.unwrap().status().as_u16()
    }
}

pub(crate) fn device_path(id: &str) -> String {
    format!("/devices/{}", path::encode_segment(id))
}

pub(crate) async fn answer(response: reqwest::Response) -> Answer {
    let (status, headers) = (response.status(), response.headers().clone());
    let bytes = response.bytes().await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or_default();
    Answer {
        status,
        headers,
        body,
    }
}
