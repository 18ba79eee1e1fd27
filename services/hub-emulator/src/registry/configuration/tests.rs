use serde_json::{Value, json};

use super::*;

fn body(json: Value) -> Configuration {
    Configuration::from_value(json).unwrap()
}

fn content(rate: i64) -> Value {
    json!({"deviceContent": {"properties.desired.rate": rate}})
}

fn make(json: Value) -> Result<Configuration, ErrorCode> {
    let marks = &mut Marks::new().unwrap();
    created("c", body(json), marks).map_err(|refusal| refusal.code)
}

#[test]
fn a_new_one_has_the_hubs_defaults() {
    let made = make(json!({"content": content(1)})).unwrap();
    assert_eq!((made.id.as_str(), made.priority), ("c", Some(0)));
    assert_eq!(made.labels, None);
    assert!(made.etag.is_some() && made.created_time_utc.is_some());
    assert!(made.system_metrics.unwrap().results.is_empty());
}

#[test]
fn content_stays_and_everything_else_is_replaced() {
    let first = make(json!({"content": content(1), "labels": {"a": "b"}, "priority": 3}));
    let first = first.unwrap();
    let change = body(json!({"content": content(2), "targetCondition": "tags.a = 'b'"}));
    let second = updated(&first, change, &mut Marks::new().unwrap()).unwrap();
    assert_eq!(second.content, first.content);
    assert_eq!(second.created_time_utc, first.created_time_utc);
    assert_eq!((second.labels, second.priority), (None, Some(0)));
    assert_eq!(second.target_condition.as_deref(), Some("tags.a = 'b'"));
    assert_ne!(second.etag, first.etag);
}

#[test]
fn what_is_wrong_has_a_name_of_its_own() {
    let condition = json!({"content": content(1), "targetCondition": "tags.a ="});
    let metric = json!({"content": content(1), "metrics": {"queries": {"m": "selec"}}});
    let cases = [
        (json!({}), ErrorCode::InvalidConfigurationContent),
        (condition, ErrorCode::InvalidConfigurationTargetCondition),
        (metric, ErrorCode::InvalidConfigurationCustomMetricsQuery),
    ];
    for (json, code) in cases {
        assert_eq!(make(json.clone()), Err(code), "{json}");
    }
    assert!(make(json!({"content": content(1), "targetCondition": "*"})).is_ok());
}

#[test]
fn ids_are_lower_case() {
    for id in ["a", "az09-:+%_*!'", &"x".repeat(128)] {
        assert!(check_id(id).is_ok(), "{id}");
    }
    for id in ["", "A", "a.b", "a b", "ä", &"x".repeat(129)] {
        assert!(check_id(id).is_err(), "{id}");
    }
}

#[test]
fn a_condition_for_modules_brings_its_own_from() {
    let module = "FROM devices.modules WHERE moduleId = 'm'";
    assert_eq!(as_query(module), format!("select * {module}"));
    let device = "from.a = 1";
    assert!(as_query(device).starts_with("select * from devices where"));
    assert_eq!(as_query("ä"), "select * from devices where ä");
}

#[test]
fn a_test_names_each_query_that_is_wrong() {
    let asked = QueriesTest {
        target_condition: Some("*".to_owned()),
        custom_metric_queries: BTreeMap::from([
            ("good".to_owned(), "select * from devices".to_owned()),
            ("bad".to_owned(), "selec".to_owned()),
        ]),
    };
    let answer = test_queries(&asked);
    assert!(answer.target_condition_error.is_some());
    let wrong: Vec<_> = answer.custom_metric_query_errors.keys().collect();
    assert_eq!(wrong, ["bad"]);
    let right = test_queries(&QueriesTest {
        target_condition: Some("tags.a = 'b'".to_owned()),
        ..QueriesTest::default()
    });
    assert_eq!(right, QueriesTestResult::default());
}
