//! The control interface: how queries and jobs behave, and the registry as files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Answer, Hub, answer, key, options, start};
use hubshift_azure::export_line;
use hubshift_emulator::Options;
use reqwest::Client;
use serde_json::{Value, json};

struct Control {
    http: Client,
    base: String,
}

impl Control {
    async fn get(&self, path: &str) -> Answer {
        let url = format!("{}{path}", self.base);
        answer(self.http.get(url).send().await.unwrap()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let url = format!("{}{path}", self.base);
        answer(self.http.post(url).json(&body).send().await.unwrap()).await
    }

    async fn put(&self, path: &str, body: Value) -> u16 {
        let url = format!("{}{path}", self.base);
        let sent = self.http.put(url).json(&body).send().await.unwrap();
        sent.status().as_u16()
    }

    async fn text(&self, path: &str) -> String {
        let url = format!("{}{path}", self.base);
        let sent = self.http.get(url).send().await.unwrap();
        assert_eq!(sent.status().as_u16(), 200);
        sent.text().await.unwrap()
    }
}

async fn hub() -> (Hub, Control) {
    let admin = Some("127.0.0.1:0".parse().unwrap());
    let hub = start(Options { admin, ..options() }).await;
    let base = format!("http://{}", hub.running.admin_addr.unwrap());
    let http = Client::builder().no_proxy().build().unwrap();
    (hub, Control { http, base })
}

/// The ids that a query lists.
async fn listed(hub: &Hub) -> Vec<String> {
    found(hub, "select * from devices").await
}

async fn found(hub: &Hub, query: &str) -> Vec<String> {
    let query = json!({"query": query});
    let rows = hub.post("/devices/query", query).await.body;
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["deviceId"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_device_is_connected_for_as_long_as_that_is_ordered() {
    let (hub, control) = hub().await;
    for id in ["here", "gone"] {
        hub.create(id, 'B').await;
    }
    let connected = "select * from devices where connectionState = 'Connected'";
    assert!(found(&hub, connected).await.is_empty());
    let order = |connected: bool| json!({ "connected": connected });
    assert_eq!(
        control.put("/devices/here/connection", order(true)).await,
        200
    );
    assert_eq!(found(&hub, connected).await, ["here"]);
    let shown = control.get("/devices/here").await.body;
    assert_eq!(shown["identity"]["connectionState"], "Connected");
    assert_eq!(shown["telemetry"]["count"], 0);
    assert_eq!(
        control.put("/devices/here/connection", order(false)).await,
        200
    );
    assert!(found(&hub, connected).await.is_empty());
    assert_eq!(
        control.put("/devices/nobody/connection", order(true)).await,
        404
    );
    let unknown = json!({"state": "Connected"});
    assert_eq!(control.put("/devices/here/connection", unknown).await, 422);
}

#[tokio::test]
async fn queries_lie_as_long_as_that_is_ordered() {
    let (hub, control) = hub().await;
    for id in ["deleted", "kept"] {
        hub.create(id, 'B').await;
    }
    let usual = json!({"lag": "0s", "ghosts": "0s", "maxPage": 1000, "hideDeviceEtag": false});
    assert_eq!(control.get("/query").await.body, usual);
    let ordered = control.post("/query", json!({"ghosts": "1h"})).await;
    assert_eq!(
        (ordered.code(), &ordered.body["ghosts"]),
        (200, &json!("1h"))
    );
    assert_eq!(control.get("/query").await.body, ordered.body);

    let any = [("if-match", "*")];
    let path = "/devices/deleted";
    let deleted = hub.call(reqwest::Method::DELETE, path, &any, None).await;
    assert_eq!(deleted.code(), 204);
    assert_eq!(listed(&hub).await, ["deleted", "kept"]);
    control.post("/query", json!({"lag": "60m"})).await;
    hub.create("made", 'B').await;
    assert!(!listed(&hub).await.contains(&"made".to_owned()));
    assert_eq!(control.post("/query", json!({})).await.body, usual);
    assert_eq!(listed(&hub).await, ["kept", "made"]);

    for wrong in [
        json!({"lag": "5"}),
        json!({"leg": "5m"}),
        json!({"maxPage": 0}),
    ] {
        assert_eq!(control.post("/query", wrong).await.code(), 422);
    }
    assert_eq!(control.get("/query").await.body, usual);
}

#[tokio::test]
async fn jobs_behave_as_ordered() {
    let (hub, control) = hub().await;
    let usual = json!({"linesPerSecond": null, "exportWhileWritten": false, "noJobs": false,
        "jobQueryAsList": false});
    assert_eq!(control.get("/jobs/behaviour").await.body, usual);
    let order = json!({"linesPerSecond": 5, "jobQueryAsList": true});
    let ordered = control.post("/jobs/behaviour", order).await.body;
    assert_eq!(ordered["linesPerSecond"], 5);
    assert_eq!(control.get("/jobs/behaviour").await.body, ordered);
    assert_eq!(hub.get("/jobs/v2/query").await.body, json!([]));
    control
        .post("/jobs/behaviour", json!({"noJobs": true}))
        .await;
    assert_eq!(hub.get("/jobs").await.code(), 400);
    let wrong = control.post("/jobs/behaviour", json!({"lines": 5})).await;
    assert_eq!(wrong.code(), 422);
    assert_eq!(control.post("/jobs/behaviour", json!({})).await.body, usual);
    assert_eq!(hub.get("/jobs").await.body, json!([]));
}

#[tokio::test]
async fn the_registry_is_exported_while_the_hub_runs() {
    let (hub, control) = hub().await;
    assert_eq!(control.text("/export").await, "");
    let many: Vec<Value> = (0..100)
        .map(|n| json!({"id": format!("d{n:03}"), "status": "enabled"}))
        .collect();
    assert_eq!(hub.post("/devices", json!(many)).await.code(), 200);
    hub.create("e", 'B').await;
    let module = json!({"managedBy": "me"});
    assert_eq!(
        hub.put("/devices/e/modules/m", None, module).await.code(),
        200
    );
    let body = json!({"content": {"deviceContent": {"properties.desired.rate": 1}}});
    assert_eq!(hub.put("/configurations/c", None, body).await.code(), 200);

    let devices = control.text("/export").await;
    let file = export_line::parse_file(&devices).unwrap();
    assert_eq!(file.devices.len(), 102);
    assert!(devices.contains(key('B').expose()) && devices.contains(r#""managedBy":"me""#));
    let configurations = control.text("/export/configurations").await;
    assert_eq!(configurations.lines().count(), 1);
    let configuration: Value = serde_json::from_str(&configurations).unwrap();
    assert_eq!(configuration, hub.get("/configurations/c").await.body);
}
