//! The query language over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Answer, Hub, hub};
use reqwest::Method;
use serde_json::{Value, json};

async fn query(hub: &Hub, text: &str, headers: &[(&str, &str)]) -> Answer {
    let body = json!({ "query": text });
    hub.call(Method::POST, "/devices/query", headers, Some(body))
        .await
}

/// The ids of an answer's rows.
fn ids(rows: &Value) -> Vec<&str> {
    let rows = rows.as_array().unwrap().iter();
    rows.map(|row| row["deviceId"].as_str().unwrap()).collect()
}

/// Rows, page by page.
async fn pages(hub: &Hub, text: &str, size: &str) -> Vec<Value> {
    let mut pages = Vec::new();
    let mut continuation = None::<String>;
    loop {
        let mut headers = vec![("x-ms-max-item-count", size)];
        if let Some(token) = &continuation {
            headers.push(("x-ms-continuation", token));
        }
        let answer = query(hub, text, &headers).await;
        assert_eq!(answer.code(), 200, "{text}: {}", answer.body);
        continuation = answer.header("x-ms-continuation").map(str::to_owned);
        pages.push(answer.body);
        if continuation.is_none() {
            return pages;
        }
    }
}

/// A hub with five devices.
async fn fleet() -> Hub {
    let hub = hub().await;
    let entries = json!([
        {"id": "a", "status": "enabled",
            "tags": {"site": "east", "floor": 1, "group": {"name": "g"}, "my-tag": "x",
                "list": ["p", "q"]},
            "properties": {"desired": {"rate": 10, "mode": "eco"}}},
        {"id": "b", "status": "disabled", "statusReason": "broken",
            "tags": {"site": "west", "floor": 2}, "properties": {"desired": {"rate": 20.5}}},
        {"id": "c", "status": "enabled", "tags": {"site": "east", "floor": 3}},
        {"id": "edge", "status": "enabled", "capabilities": {"iotEdge": true}},
        {"id": "o'neil", "status": "enabled"},
    ]);
    let made = hub.post("/devices", entries).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    hub
}

#[tokio::test]
async fn conditions_find_what_they_say() {
    let hub = fleet().await;
    let all: &[&str] = &["a", "b", "c", "edge", "o'neil"];
    let cases: &[(&str, &[&str])] = &[
        ("capabilities.iotEdge=true", &["edge"]),
        ("capabilities.iotEdge = false", &["a", "b", "c", "o'neil"]),
        (
            "is_bool(capabilities.iotEdge) and capabilities.iotEdge",
            &["edge"],
        ),
        ("deviceId IN ['a','b','nobody']", &["a", "b"]),
        ("deviceId NIN ['a','b']", &["c", "edge", "o'neil"]),
        ("tags.floor in [1, 3.0]", &["a", "c"]),
        ("deviceId = 'o''neil'", &["o'neil"]),
        (r"deviceId = 'o\'neil'", &["o'neil"]),
        (r#"devices.deviceId = "o'neil""#, &["o'neil"]),
        ("DEVICEID = 'a'", &["a"]),
        ("status = 'disabled'", &["b"]),
        ("statusReason = 'broken'", &["b"]),
        ("authenticationType = 'sas'", all),
        (
            "connectionState = 'Disconnected' and status = 'enabled'",
            &["a", "c", "edge", "o'neil"],
        ),
        ("tags.site = 'east' AND tags.floor >= 2", &["c"]),
        (
            "tags.site = 'east' or status = 'disabled'",
            &["a", "b", "c"],
        ),
        (
            "(tags.site = 'east' or tags.site = 'west') and tags.floor < 3",
            &["a", "b"],
        ),
        (
            "tags.site = 'east' or tags.site = 'west' and tags.floor < 2",
            &["a", "c"],
        ),
        ("not tags.site = 'east'", &["b"]),
        ("tags.site != 'east'", &["b"]),
        ("tags.site > 'east'", &["b"]),
        ("tags.floor <> 2", &["a", "c"]),
        ("tags.floor != null", &["a", "b", "c"]),
        ("tags.floor = '2'", &[]),
        ("tags.floor + 1 > 3", &["c"]),
        ("tags.floor % 2 = 1", &["a", "c"]),
        ("properties.desired.rate > 10", &["b"]),
        ("properties.desired.rate = 20.5", &["b"]),
        ("properties.desired.$version >= 1", all),
        (
            "properties.desired.$version = properties.reported.lastDesiredVersion",
            &[],
        ),
        ("is_defined(tags.site)", &["a", "b", "c"]),
        ("NOT IS_DEFINED(tags.site)", &["edge", "o'neil"]),
        ("tags.none = undefined or not tags.none = 1", &[]),
        ("STARTSWITH(deviceId, 'o')", &["o'neil"]),
        ("startsWith(devices.deviceId,'e')", &["edge"]),
        ("endswith(deviceId, 'il')", &["o'neil"]),
        ("contains(statusReason, 'roke')", &["b"]),
        (
            "is_string(tags.site) and length(tags.site) = 4",
            &["a", "b", "c"],
        ),
        (
            "lower('EAST') = tags.site and upper(deviceId) = 'C'",
            &["c"],
        ),
        ("substring(deviceId, 0, 2) = 'ed'", &["edge"]),
        ("index_of(deviceId, 'd') = 1", &["edge"]),
        ("concat(tags.site, '-', deviceId) = 'west-b'", &["b"]),
        (
            "is_number(tags.floor) and is_object(tags.[[group]])",
            &["a"],
        ),
        ("tags.[[group]].name = 'g'", &["a"]),
        ("tags.[[group]] = tags.[[group]]", &[]),
        ("tags.['my-tag'] = 'x'", &["a"]),
        (r#"tags["my-tag"] = 'x'"#, &["a"]),
        ("array_contains(tags.list, 'q')", &["a"]),
        (
            "array_contains(parentScopes,'ms-azure-iot-edge://nobody')",
            &[],
        ),
        ("configurations.[[fw-1]].status='Applied'", &[]),
        ("true", all),
        ("null", &[]),
    ];
    for (condition, expected) in cases {
        let text = format!("select * from devices where {condition}");
        let answer = query(&hub, &text, &[]).await;
        assert_eq!(answer.code(), 200, "{text}: {}", answer.body);
        assert_eq!(answer.header("x-ms-item-type"), Some("Twin"), "{text}");
        assert_eq!(answer.header("x-ms-continuation"), None, "{text}");
        assert_eq!(ids(&answer.body), *expected, "{text}");
    }
}

#[tokio::test]
async fn whole_twins_come_in_the_order_of_their_ids() {
    let hub = fleet().await;
    let cases: &[(&str, &[&str])] = &[
        ("SELECT * FROM devices", &["a", "b", "c", "edge", "o'neil"]),
        ("select top 2 * from devices", &["a", "b"]),
        (
            "Select Top(1) * From devices Where tags.site = 'east'",
            &["a"],
        ),
    ];
    for (text, expected) in cases {
        let answer = query(&hub, text, &[]).await;
        assert_eq!(answer.header("x-ms-item-type"), Some("Twin"), "{text}");
        assert_eq!(ids(&answer.body), *expected, "{text}");
    }
}

#[tokio::test]
async fn projections_and_aggregates_are_raw_rows() {
    let hub = fleet().await;
    for (text, expected) in [
        (
            "select count() as total from devices",
            json!([{"total": 5}]),
        ),
        (
            "SELECT COUNT() AS _count FROM devices WHERE capabilities.iotEdge = true",
            json!([{"_count": 1}]),
        ),
        (
            "SELECT properties.reported.x AS x, COUNT() AS n FROM devices \
             GROUP BY properties.reported.x",
            json!([{"n": 5}]),
        ),
        (
            "select tags.site as site, count() as n, sum(tags.floor) as floors from devices \
             group by tags.site",
            json!([
                {"n": 2},
                {"site": "east", "n": 2, "floors": 4},
                {"site": "west", "n": 1, "floors": 2},
            ]),
        ),
        (
            "select avg(tags.floor) as mean, min(tags.floor) as least, max(tags.site) as most \
             from devices",
            json!([{"mean": 2, "least": 1, "most": "west"}]),
        ),
        (
            "SELECT DeviceId, tags.site AS place FROM devices WHERE status = 'enabled'",
            json!([
                {"deviceId": "a", "place": "east"},
                {"deviceId": "c", "place": "east"},
                {"deviceId": "edge"},
                {"deviceId": "o'neil"},
            ]),
        ),
        (
            "select top 1 deviceId, status from devices where is_defined(statusReason)",
            json!([{"deviceId": "b", "status": "disabled"}]),
        ),
        (
            "select deviceId, properties.desired.rate from devices \
             where properties.desired.mode = 'eco'",
            json!([{"deviceId": "a", "rate": 10}]),
        ),
        (
            "select deviceId from devices where array_contains(parentScopes, 'x')",
            json!([]),
        ),
        (
            "select authentication, symmetricKey, generationId from devices where deviceId = 'a'",
            json!([{}]),
        ),
    ] {
        let answer = query(&hub, text, &[]).await;
        assert_eq!(answer.header("x-ms-item-type"), Some("Raw"), "{text}");
        assert_eq!(answer.body, expected, "{text}");
    }
}

#[tokio::test]
async fn modules_and_jobs_are_collections_of_their_own() {
    let hub = hub().await;
    hub.create("d", 'B').await;
    for (text, kind) in [
        (
            "select * from devices.modules where moduleId = '$edgeAgent'",
            "Twin",
        ),
        (
            "select * from devices.modules where devices.deviceId = 'd'",
            "Twin",
        ),
        (
            "select moduleId from devices.modules where devices.modules.moduleId = 'm'",
            "Raw",
        ),
        (
            "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j'",
            "DeviceJob",
        ),
    ] {
        let answer = query(&hub, text, &[]).await;
        assert_eq!(answer.code(), 200, "{text}: {}", answer.body);
        assert_eq!(answer.header("x-ms-item-type"), Some(kind), "{text}");
        assert_eq!(answer.body, json!([]), "{text}");
    }
}

#[tokio::test]
async fn what_is_not_understood_is_refused_with_its_place() {
    let hub = fleet().await;
    for (text, place) in [
        ("", 1),
        ("select nothing", 15),
        ("select * from c", 15),
        ("select * from devices d", 23),
        ("select * from devices order by deviceId", 23),
        ("select * from devices where deviceId like 'a'", 38),
        ("select * from devices where deviceId in ('a')", 41),
        ("select * from devices where tags.group = 1", 34),
        ("select * from devices where tags.my-tag = 1", 36),
        ("select * from devices where deviceId = 'a", 40),
        ("select * from devices where abs(tags.floor) = 1", 29),
        ("select * from devices where deviceId = 'a' and", 47),
        ("select * from devices; drop devices", 22),
        ("select deviceId, count() as n from devices", 8),
        ("select jobId from devices.jobs", 8),
    ] {
        let answer = query(&hub, text, &[]).await;
        assert_eq!(
            (answer.code(), answer.error()),
            (400, "ArgumentInvalid"),
            "{text}"
        );
        let message = answer.body["Message"].as_str().unwrap();
        assert!(
            message.contains(&format!("at character {place}: ")),
            "{text}: {message}"
        );
    }
    let nested = format!("select * from devices where {}", "(".repeat(50_000));
    assert_eq!(query(&hub, &nested, &[]).await.code(), 400);
}

#[tokio::test]
async fn answers_of_every_kind_come_page_by_page() {
    let hub = fleet().await;
    let found = pages(
        &hub,
        "select deviceId from devices where status = 'enabled'",
        "3",
    )
    .await;
    let found: Vec<_> = found.iter().map(ids).collect();
    assert_eq!(found, [vec!["a", "c", "edge"], vec!["o'neil"]]);

    let found = pages(&hub, "select top 3 * from devices", "2").await;
    let found: Vec<_> = found.iter().map(ids).collect();
    assert_eq!(found, [vec!["a", "b"], vec!["c"]]);

    let text = "select tags.site as site, count() as n from devices group by tags.site";
    assert_eq!(
        pages(&hub, text, "2").await,
        [
            json!([{"n": 2}, {"site": "east", "n": 2}]),
            json!([{"site": "west", "n": 1}]),
        ]
    );
}

#[tokio::test]
async fn a_continuation_goes_with_its_query_only() {
    let hub = fleet().await;
    let size = ("x-ms-max-item-count", "2");
    let first = query(&hub, "select * from devices", &[size]).await;
    let token = first.header("x-ms-continuation").unwrap();
    let headers = [size, ("x-ms-continuation", token)];
    let next = query(&hub, "select * from devices", &headers).await;
    assert_eq!(ids(&next.body), ["c", "edge"]);
    let other = query(&hub, "select deviceId from devices", &headers).await;
    assert_eq!((other.code(), other.error()), (400, "ArgumentInvalid"));
}
