use hubshift_azure::Secret;
use serde_json::json;

use super::*;

const SCOPE: &str = "ms-azure-iot-edge://gw-7-638";

fn write(key: &str, iot_edge: bool, parent: Option<&str>) -> DeviceWrite {
    DeviceWrite {
        identity: Identity {
            device_id: key.to_owned(),
            enabled: true,
            status_reason: None,
            credentials: Credentials::Sas {
                primary: Secret::new("Y2FuYXJ5MQ=="),
                secondary: Secret::new("Y2FuYXJ5Mg=="),
            },
            iot_edge,
            parent: parent.map(str::to_owned),
            managed_by: None,
        },
        tags: json!({"room": "ä"}).as_object().unwrap().clone(),
        desired: json!({"rate": 5}).as_object().unwrap().clone(),
    }
}

fn scopes() -> HashMap<String, String> {
    HashMap::from([("gw-7".to_owned(), SCOPE.to_owned())])
}

fn line(write: &DeviceWrite) -> Value {
    serde_json::from_str(&import_line(write, &scopes()).unwrap()).unwrap()
}

fn read_back(write: &DeviceWrite) -> Exported {
    let text = import_line(write, &scopes()).unwrap();
    export_line(&text).unwrap().unwrap()
}

#[test]
fn a_line_makes_the_device_with_both_keys_below_its_parent() {
    let leaf = line(&write("d", false, Some("gw-7")));
    assert_eq!(leaf["importMode"], "create");
    assert_eq!(leaf["deviceScope"], SCOPE);
    let keys = &leaf["authentication"]["symmetricKey"];
    assert!(keys["primaryKey"].is_string() && keys["secondaryKey"].is_string());
    let edge = line(&write("gw-8", true, Some("gw-7")));
    assert_eq!(edge["parentScopes"], json!([SCOPE]));
    assert_eq!(edge.get("deviceScope"), None);
}

#[test]
fn what_was_written_reads_back() {
    let prints = Credentials::SelfSigned {
        primary_thumbprint: "aB".repeat(20),
        secondary_thumbprint: None,
    };
    let mut disabled = write("a%2F#?+", false, None);
    disabled.identity.enabled = false;
    disabled.identity.status_reason = Some("stolen".to_owned());
    disabled.identity.credentials = prints;
    let all = [
        disabled,
        write("leaf", false, Some("gw-7")),
        write("gw-8", true, Some("gw-7")),
        write("d/m", false, None),
    ];
    for device in all {
        let read = read_back(&device);
        assert_eq!(read.identity, device.identity);
        assert_eq!((read.tags, read.desired), (device.tags, device.desired));
    }
}

#[test]
fn a_module_of_the_hubs_own_gets_its_twin_only_and_only_if_it_is_new() {
    let mut agent = write("gw-7/$edgeAgent", false, None);
    agent.identity.credentials = Credentials::None;
    let line = line(&agent);
    assert_eq!(
        (&line["id"], &line["moduleId"]),
        (&json!("gw-7"), &json!("$edgeAgent"))
    );
    assert_eq!(line["importMode"], "updateTwinIfMatchETag");
    assert_eq!(line["twinETag"], "AAAAAAAAAAE=");
    assert_eq!(line["status"], "enabled");
    assert_eq!(line.get("authentication"), None);
}

#[test]
fn what_no_import_can_make_is_refused() {
    let refused = |write: &DeviceWrite| import_line(write, &scopes()).unwrap_err();
    assert_eq!(
        refused(&write("d", false, Some("gone"))),
        BadLine::ParentMissing("gone".to_owned())
    );
    let configuration = write("/configurations/a", false, None);
    assert_eq!(refused(&configuration), BadLine::Configuration);
    let mut open = write("d", false, None);
    open.identity.credentials = Credentials::None;
    assert_eq!(refused(&open), BadLine::NoCredentials);
    assert!(matches!(
        refused(&write("a b", false, None)),
        BadLine::Key(_)
    ));
}

#[test]
fn a_notice_and_empty_lines_are_no_devices_and_damage_is_named() {
    assert_eq!(
        export_line("\u{feff}Keys were excluded from this export."),
        Ok(None)
    );
    assert_eq!(export_line("  \r"), Ok(None));
    assert_eq!(export_line("{\"id\": \"d\""), Err(BadLine::Malformed));
    let bare = r#"{"id": "d", "status": "enabled"}"#;
    assert_eq!(export_line(bare), Err(BadLine::NoCredentials));
    let half = r#"{"id": "d", "authentication": {"symmetricKey": {"primaryKey": "canary"}}}"#;
    let found = export_line(half).unwrap_err();
    assert_eq!(found, BadLine::NoCredentials);
    assert!(!format!("{found:?} {found}").contains("canary"));
}

#[test]
fn failed_lines_are_found_among_what_is_no_line() {
    let log = "Import finished.\n\
        {\"deviceId\":\"d\",\"errorCode\":409001,\"errorStatus\":\"it is there\"}\r\n\
        \n\
        {\"deviceId\":\"d\",\"moduleId\":\"m\",\"errorCode\":\"ModuleNotFound\"}\n\
        {\"errorCode\":400012,\"errorStatus\":\"line 3\"}\n";
    let failed = |key: Option<&str>, code: &str, text: &str| FailedLine {
        key: key.map(str::to_owned),
        code: code.to_owned(),
        text: text.to_owned(),
    };
    let expected = [
        failed(Some("d"), "409001", "it is there"),
        failed(Some("d/m"), "ModuleNotFound", ""),
        failed(None, "400012", "line 3"),
    ];
    assert_eq!(import_errors(log), expected);
}
