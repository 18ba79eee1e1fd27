use super::*;

fn seed(text: &str) -> Result<Records, StartError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    let marks = Marks::new().unwrap();
    load(file.path(), marks, &RegistryOptions::default()).map(|(records, _)| records)
}

fn refused(text: &str) -> String {
    seed(text).err().unwrap().to_string()
}

#[test]
fn devices_and_modules_are_loaded_in_any_order() {
    let text = "{\"id\":\"a\",\"moduleId\":\"m\",\"tags\":{\"x\":2}}\n\
        {\"id\":\"a\",\"status\":\"disabled\",\"tags\":{\"x\":1}}\n";
    let records = seed(text).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records["a"].twin.tags["x"], 1);
    assert_eq!(records["a"].modules["m"].twin.tags["x"], 2);
}

#[test]
fn scopes_are_made_anew_and_children_follow() {
    let text = r#"{"id":"leaf","status":"enabled","deviceScope":"theirs-2"}
{"id":"low","status":"enabled","capabilities":{"iotEdge":true},"deviceScope":"theirs-2","parentScopes":["theirs-1"]}
{"id":"top","status":"enabled","capabilities":{"iotEdge":true},"deviceScope":"theirs-1"}
{"id":"top","moduleId":"$edgeAgent","authentication":{"type":"none"},"properties":{"desired":{"x":1}}}"#;
    let records = seed(text).unwrap();
    let scope = |id: &str| records[id].device_scope.clone().unwrap();
    assert!(scope("top").starts_with("ms-azure-iot-edge://top-"));
    assert_eq!(records["low"].parent_scopes, [scope("top")]);
    assert_eq!(scope("leaf"), scope("low"));
    assert_eq!(records["leaf"].parent_scopes, [scope("low")]);
    assert_eq!(records["top"].modules["$edgeAgent"].twin.desired()["x"], 1);
    assert_eq!(records["top"].modules.len(), 2);
}

#[test]
fn parents_and_devices_that_are_not_in_the_file_are_named_with_their_lines() {
    let text = refused(
        "{\"id\":\"b\",\"moduleId\":\"m\"}\n\
         {\"id\":\"a\",\"status\":\"enabled\",\"deviceScope\":\"theirs-1\"}\n",
    );
    assert!(text.contains("line 1: the module's device"), "{text}");
    assert!(text.contains("line 2: no Edge device"), "{text}");
}

#[test]
fn one_bad_line_keeps_everything_out_and_is_named() {
    let text = "{\"id\":\"a\",\"status\":\"enabled\"}\n\n{\"id\":\"b\"}\n";
    let error = seed(text).err().unwrap();
    assert!(
        error.to_string().contains("line 3: status is missing"),
        "{error}"
    );
    assert_eq!(error.exit_code(), 64);
}

#[test]
fn a_mode_that_is_no_seed_is_named_with_its_line() {
    let text = "{\"id\":\"a\",\"status\":\"enabled\",\"importMode\":\"delete\"}";
    let error = refused(&format!("Keys were left out\n{text}"));
    assert!(error.contains("line 2: importMode delete"), "{error}");
}
