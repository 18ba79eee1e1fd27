//! A real grpcurl against every listener, and the README's lines.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::ffi::OsStr;
use std::process::Command;
use std::time::Duration;

use common::{Folder, PATIENCE, Ran, Up, blocks, grpcurl, run, sh, uuid};

const PROTO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../proto");
/// grpcurl ends with 64 and the status code.
const UNIMPLEMENTED: i32 = 64 + 12;

#[test]
fn grpcurl_finds_its_way_and_the_public_listener_shows_nothing() {
    let Some(program) = grpcurl() else { return };
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    every_inner_listener_says_what_it_offers(&program, &up);
    a_plan_is_made_and_nothing_moves(&program, &up);
    the_public_listener_knows_the_devices_methods_alone(&program, &up);
    the_readme_s_lines_work(&folder);
    up.interrupt();
}

fn call(program: &OsStr, arguments: &[&str]) -> Ran {
    run(Command::new(program).args(arguments), PATIENCE)
}

fn every_inner_listener_says_what_it_offers(program: &OsStr, up: &Up<'_>) {
    let offered = [
        (
            "concierge",
            "concierge",
            &["FailoverService", "FleetService"][..],
        ),
        (
            "registry",
            "registry",
            &[
                "AdoptionService",
                "AttachmentService",
                "BackupService",
                "ConnectionService",
                "DeviceService",
                "FenceService",
                "ReplicationService",
            ],
        ),
        (
            "merge",
            "merge",
            &["InboxService", "MergeService", "MetadataService"],
        ),
    ];
    for (listener, package, names) in offered {
        let listed = call(program, &["-plaintext", &up.address(listener), "list"]).ok();
        let ours = listed
            .stdout
            .lines()
            .filter(|line| line.starts_with("hubshift."));
        let expected = names
            .iter()
            .map(|name| format!("hubshift.{package}.v1.{name}"));
        assert_eq!(
            ours.collect::<Vec<_>>(),
            expected.collect::<Vec<_>>(),
            "{listed}"
        );
        assert!(listed.stdout.contains("grpc.health.v1.Health"), "{listed}");
    }
}

fn a_plan_is_made_and_nothing_moves(program: &OsStr, up: &Up<'_>) {
    up.until_ready("west");
    let body = serde_json::json!({
        "fleet": "fleets/acme", "kind": "FAILOVER_KIND_PLANNED", "expected_active_hub": "east",
        "target_hub": "west", "request_id": uuid(), "validate_only": true,
    });
    let method = "hubshift.concierge.v1.FailoverService/StartFailover";
    let (body, address) = (body.to_string(), up.address("concierge"));
    let planned = call(program, &["-plaintext", "-d", &body, &address, method]).ok();
    assert!(planned.stdout.contains("\"nextEpoch\""), "{planned}");
    assert!(!planned.stdout.contains("\"blocked\": true"), "{planned}");
    up.hubshift("failover get")
        .refused(66, "FAILOVER_NOT_FOUND");
    let nowhere = r#"{"name": "fleets/nowhere"}"#;
    let method = "hubshift.concierge.v1.FleetService/GetFleet";
    let refused = call(program, &["-plaintext", "-d", nowhere, &address, method]);
    let reason = r#""reason":"FLEET_NOT_FOUND""#;
    assert!(
        refused.stderr.contains(reason),
        "the reason is readable: {refused}"
    );
}

fn the_public_listener_knows_the_devices_methods_alone(program: &OsStr, up: &Up<'_>) {
    let (ca, address) = (up.ca().display().to_string(), up.public());
    let refused = call(program, &["-cacert", &ca, &address, "list"]);
    assert!(refused.code != 0, "{refused}");
    assert!(
        refused
            .stderr
            .contains("does not support the reflection API"),
        "{refused}"
    );
    let call_by_file = |file: &str, method: &str, body: &str| {
        let arguments = [
            "-cacert",
            &ca,
            "-import-path",
            PROTO,
            "-proto",
            file,
            "-d",
            body,
        ];
        call(program, &[&arguments[..], &[&address, method]].concat())
    };
    for (area, file, method) in [
        ("concierge", "fleet_service", "FleetService/ListFleets"),
        ("concierge", "fleet_service", "FleetService/WatchFleet"),
        (
            "concierge",
            "failover_service",
            "FailoverService/StartFailover",
        ),
        (
            "registry",
            "device_service",
            "DeviceService/GetDeviceCredentials",
        ),
        ("merge", "merge_service", "MergeService/ApplyMerge"),
    ] {
        let file = format!("hubshift/{area}/v1/{file}.proto");
        let refused = call_by_file(&file, &format!("hubshift.{area}.v1.{method}"), "{}");
        assert_eq!(refused.code, UNIMPLEMENTED, "{method}: {refused}");
    }
    let file = "hubshift/concierge/v1/endpoint_service.proto";
    let method = "hubshift.concierge.v1.EndpointService/GetEndpoint";
    let answered = call_by_file(file, method, r#"{"fleet": "fleets/acme"}"#).ok();
    assert!(answered.stdout.contains("\"route\""), "{answered}");
}

/// The whole block, as a reader would paste it.
fn the_readme_s_lines_work(folder: &Folder) {
    let all = blocks("README.md").into_iter().map(|block| block.text);
    let ours: Vec<String> = all
        .filter(|text| text.contains("\ngrpcurl -plaintext "))
        .collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    let lines = ours[0]
        .lines()
        .filter(|line| line.starts_with("grpcurl -plaintext "));
    assert!(lines.count() >= 4, "{}", ours[0]);
    let ran = sh(folder, &ours[0], Duration::from_secs(60)).ok();
    for shown in [
        "FailoverService",
        "\"activeHub\": \"east\"",
        "stalenessSeconds",
        "devices/",
    ] {
        assert!(ran.stdout.contains(shown), "no {shown} in {ran}");
    }
}
