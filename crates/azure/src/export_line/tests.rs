use serde_json::json;

use super::*;

const KEY: &str = "Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5Y2FuYXJ5";

fn device(id: &str) -> String {
    json!({
        "id": id, "eTag": "MA==", "status": "enabled",
        "authentication": {"symmetricKey": {"primaryKey": KEY, "secondaryKey": KEY}, "type": "sas"},
        "twinETag": "AAAAAAAAAAE=", "tags": {"room": "4"},
        "properties": {"desired": {"rate": 5}, "reported": {}},
        "capabilities": {"iotEdge": false},
    })
    .to_string()
}

fn reason(line: &str) -> String {
    parse(line, 7).unwrap_err().to_string()
}

#[test]
fn a_line_reads_back_what_it_writes() {
    let line = device("d1");
    let parsed = parse(&line, 1).unwrap();
    let written: Value = serde_json::from_str(&write(&parsed).unwrap()).unwrap();
    let mut expected: Value = serde_json::from_str(&line).unwrap();
    expected["authentication"]["type"] = "sas".into();
    assert_eq!(written, expected);
}

#[test]
fn each_mistake_is_named_with_its_line() {
    assert_eq!(reason("{\"id\": "), "line 7: not a JSON object (column 6)");
    assert_eq!(reason("[1]"), "line 7: the value must be an object");
    assert_eq!(reason("{}"), "line 7: id is missing");
    assert_eq!(reason(r#"{"id":"d"}"#), "line 7: status is missing");
    assert!(reason(r#"{"id":"a b","status":"enabled"}"#).contains("device id has a character"));
    assert!(reason(r#"{"id":"d","status":"on"}"#).contains("status must be one of enabled"));
    assert!(reason(&device("d").replace("\"4\"", "9007199254740993")).contains("2^52"));
}

#[test]
fn no_error_shows_a_key() {
    let lines = [
        format!(r#"{{"id":"d","status":"enabled","authentication":"{KEY}"}}"#),
        format!(r#"{{"id":"d","status":"enabled","authentication":{{"type":"{KEY}"}}}}"#),
        format!(r#"{{"id":"d","status":"enabled","authentication":{{"symmetricKey":"{KEY}"}}}}"#),
        format!(
            r#"{{"id":"d","status":"enabled","authentication":{{"symmetricKey":{{"primaryKey":"{KEY}"}}}}}}"#
        ),
        format!(r#"{{"id":"d","status":"{KEY}"}}"#),
        format!(r#"{{"id":"{KEY} {KEY}","status":"enabled"}}"#),
        format!(r#"{{"primaryKey": {KEY}}}"#),
    ];
    for line in lines {
        assert!(!reason(&line).contains(KEY), "{}", reason(&line));
    }
}

#[test]
fn a_file_is_read_whole() {
    let text = format!("\u{feff}{}\r\n\r\n{}\n", device("d1"), device("d2"));
    let file = parse_file(&text).unwrap();
    assert_eq!(file.devices.len(), 2);
    assert_eq!(file.notice, None);
}

#[test]
fn a_plain_first_line_is_a_notice_and_a_broken_one_is_not() {
    let notice = "Keys were excluded from this export.";
    let file = parse_file(&format!("{notice}\n{}", device("d1"))).unwrap();
    assert_eq!(file.notice.as_deref(), Some(notice));

    let broken = parse_file(&format!("\"id\":\"d0\"\n{}", device("d1"))).unwrap_err();
    assert_eq!(broken[0].line, 1);
    let late = parse_file(&format!("{}\n{notice}", device("d1"))).unwrap_err();
    assert_eq!(late[0].line, 2);
}

#[test]
fn all_bad_lines_are_told_at_once_and_nothing_is_returned() {
    let text = format!("{}\n{{}}\n{}\nnonsense\n", device("d1"), device("d1"));
    let lines: Vec<_> = parse_file(&text)
        .unwrap_err()
        .into_iter()
        .map(|e| e.line)
        .collect();
    assert_eq!(lines, [2, 3, 4]);
}

#[test]
fn a_module_line_needs_no_status() {
    let line = r#"{"id":"d","moduleId":"$edgeHub","authentication":{"type":"none"}}"#;
    assert_eq!(
        parse(line, 1).unwrap().module_id.as_deref(),
        Some("$edgeHub")
    );
}
