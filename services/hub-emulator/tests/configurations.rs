//! Configurations over the wire.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{Hub, hub, options, start};
use hubshift_azure::quota::Tier;
use hubshift_emulator::{Options, ThrottleOptions};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/configurations/c";

fn body(rate: i64) -> Value {
    json!({
        "id": "c", "targetCondition": "tags.site = 'a'", "priority": 5, "labels": {"by": "me"},
        "content": {"deviceContent": {"properties.desired.rate": rate}},
        "metrics": {"queries": {"all": "select count() as n from devices"}},
    })
}

async fn delete(hub: &Hub, headers: &[(&str, &str)]) -> common::Answer {
    hub.call(Method::DELETE, PATH, headers, None).await
}

#[tokio::test]
async fn a_configuration_is_made_read_and_listed() {
    let hub = hub().await;
    let made = hub.put(PATH, None, body(1)).await;
    assert_eq!(made.code(), 200, "{}", made.body);
    assert_eq!(
        made.header("etag"),
        Some(format!("\"{}\"", made.etag()).as_str())
    );
    assert_eq!(made.body["content"], body(1)["content"]);
    assert_eq!(
        made.body["metrics"]["queries"],
        body(1)["metrics"]["queries"]
    );
    assert_eq!(made.body["metrics"]["results"], json!({}));
    assert!(made.body["systemMetrics"]["queries"]["targetedCount"].is_string());
    assert!(made.body["createdTimeUtc"].is_string());
    assert_eq!(hub.get(PATH).await.body, made.body);
    assert_eq!(hub.get("/configurations/").await.body, json!([made.body]));
    let missing = hub.get("/configurations/x").await;
    assert_eq!(
        (missing.code(), missing.error()),
        (404, "ConfigurationNotFound")
    );
}

#[tokio::test]
async fn an_update_needs_a_quoted_etag_and_leaves_the_content() {
    let hub = hub().await;
    let made = hub.put(PATH, None, body(1)).await;
    let bare = made.etag();
    for unseen in [None, Some(bare.as_str())] {
        let refused = hub.put(PATH, unseen, body(1)).await;
        assert_eq!(
            (refused.code(), refused.error()),
            (409, "ConfigurationAlreadyExists")
        );
    }
    let quoted = format!("\"{bare}\"");
    let mut change = body(2);
    change["priority"] = json!(9);
    change["labels"] = json!({"by": "you"});
    let updated = hub.put(PATH, Some(&quoted), change).await;
    assert_eq!(updated.code(), 200, "{}", updated.body);
    assert_eq!(updated.body["content"], made.body["content"]);
    assert_eq!(
        (&updated.body["priority"], &updated.body["labels"]["by"]),
        (&json!(9), &json!("you"))
    );
    let stale = hub.put(PATH, Some(&quoted), body(1)).await;
    assert_eq!((stale.code(), stale.error()), (412, "PreconditionFailed"));
    let any = hub.put(PATH, Some("\"*\""), body(1)).await;
    assert_eq!(any.code(), 200);
    let missing = hub.put("/configurations/x", Some("\"*\""), json!({"content": {}}));
    assert_eq!(missing.await.error(), "ConfigurationNotFound");
}

#[tokio::test]
async fn a_delete_may_be_unconditional() {
    let hub = hub().await;
    hub.put(PATH, None, body(1)).await;
    assert_eq!(delete(&hub, &[("if-match", "\"MA==\"")]).await.code(), 412);
    assert_eq!(delete(&hub, &[]).await.code(), 204);
    assert_eq!(delete(&hub, &[]).await.error(), "ConfigurationNotFound");
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_made() {
    let hub = hub().await;
    let mut condition = body(1);
    condition["targetCondition"] = json!("tags.site =");
    let mut metric = body(1);
    metric["metrics"]["queries"]["all"] = json!("selec");
    let mut content = body(1);
    content["content"] = json!({"deviceContent": {"tags.a": 1}});
    let cases = [
        (condition, "InvalidConfigurationTargetCondition"),
        (metric, "InvalidConfigurationCustomMetricsQuery"),
        (content, "InvalidConfigurationContent"),
    ];
    for (body, code) in cases {
        let refused = hub.put(PATH, None, body).await;
        assert_eq!((refused.code(), refused.error()), (400, code));
    }
    let mut upper = body(1);
    upper["id"] = json!("C");
    let refused = hub.put("/configurations/C", None, upper).await;
    assert_eq!(refused.error(), "ArgumentInvalid");
    assert_eq!(hub.get("/configurations").await.body, json!([]));
}

#[tokio::test]
async fn conditions_and_queries_are_tested_without_being_used() {
    let hub = hub().await;
    let good = json!({"targetCondition": "tags.site = 'a'",
        "customMetricQueries": {"all": "select * from devices"}});
    let answer = hub.post("/configurations/testQueries", good).await;
    assert_eq!(
        (answer.code(), &answer.body),
        (200, &json!({"customMetricQueryErrors": {}}))
    );
    let bad = json!({"targetCondition": "tags.site =", "customMetricQueries": {"m": "selec"}});
    let answer = hub.post("/configurations/testQueries", bad).await;
    assert_eq!(answer.code(), 200);
    assert!(answer.body["targetConditionError"].is_string());
    assert!(answer.body["customMetricQueryErrors"]["m"].is_string());
}

#[tokio::test]
async fn a_hub_has_at_most_100_and_the_list_takes_top() {
    let hub = hub().await;
    for n in 0..100 {
        let id = format!("c{n:02}");
        let mut body = body(1);
        body["id"] = json!(id);
        let made = hub.put(&format!("/configurations/{id}"), None, body).await;
        assert_eq!(made.code(), 200);
    }
    let refused = hub.put(PATH, None, body(1)).await;
    assert_eq!(refused.error(), "ConfigurationCountLimitExceeded");
    assert_eq!(
        hub.get("/configurations")
            .await
            .body
            .as_array()
            .unwrap()
            .len(),
        100
    );
    let url = format!("{}?top=2&{}", hub.url("/configurations"), common::VERSION);
    let token = hub.owner_token();
    let sent = hub.http.get(url).header("authorization", token.expose());
    let two = common::answer(sent.send().await.unwrap()).await;
    assert_eq!(two.body.as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn configurations_are_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let with_data = || Options {
        data: Some(dir.path().join("hub.jsonl")),
        ..options()
    };
    let hub = start(with_data()).await;
    let made = hub.put(PATH, None, body(1)).await;
    hub.running.stop().await;
    let hub = start(with_data()).await;
    assert_eq!(hub.get(PATH).await.body, made.body);
}

#[tokio::test]
async fn a_free_hub_has_ten_of_them() {
    let mut options = options();
    options.throttle = ThrottleOptions {
        tier: Some(Tier::F1),
        throttle_speed: 10_000.0,
        ..ThrottleOptions::default()
    };
    let hub = start(options).await;
    let content = json!({"deviceContent": {"properties.desired.rate": 1}});
    let mut answers = Vec::new();
    for n in 0..11 {
        let path = format!("/configurations/c{n}");
        let made = hub.put(&path, None, json!({"content": content})).await;
        answers.push((made.code(), made.error().to_owned()));
    }
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(|(code, _)| *code == 200), "{answers:?}");
    assert_eq!(last, (413, "ConfigurationCountLimitExceeded".to_owned()));
}
