//! How the program ends, run for real against a fake concierge: exit code, reason, what is printed.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use serde_json::{Value, json};
use support::{concierge, hubshift, stderr, stdout_json};

#[tokio::test]
async fn an_unknown_fleet_ends_with_66_and_its_reason() {
    let (url, _) = concierge(1).await;
    let output = hubshift(&url, "fleet get nobody").await;
    assert_eq!(output.status.code(), Some(66), "{output:?}");
    let text = stderr(&output);
    assert!(
        text.starts_with("error: there is no fleets/nobody (FLEET_NOT_FOUND)\n"),
        "{text}"
    );
    assert!(text.contains("hint: `hubshift fleet list`"), "{text}");
    assert!(output.stdout.is_empty());
}

#[tokio::test]
async fn an_error_is_one_json_object_when_json_is_asked_for() {
    let (url, _) = concierge(1).await;
    let output = hubshift(&url, "--output json fleet get --fleet nobody").await;
    assert_eq!(output.status.code(), Some(66));
    let error: Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(error["reason"], "FLEET_NOT_FOUND");
    assert_eq!(error["message"], "there is no fleets/nobody");
    assert_eq!(error["violations"], json!([]));
    assert_eq!(error["retry_after_s"], Value::Null);
}

#[tokio::test]
async fn the_only_fleet_is_meant_when_none_is_named() {
    let (url, _) = concierge(1).await;
    let output = hubshift(&url, "fleet get --output json").await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stdout_json(&output)["epoch"], 1025);
}

#[tokio::test]
async fn of_several_fleets_none_is_guessed() {
    let (url, _) = concierge(2).await;
    let output = hubshift(&url, "fleet get").await;
    assert_eq!(output.status.code(), Some(64));
    assert!(stderr(&output).contains("--fleet"), "{output:?}");
}

#[tokio::test]
async fn every_violation_of_an_invalid_request_is_printed() {
    let (url, _) = concierge(1).await;
    let output = hubshift(&url, "fleet create acme").await;
    assert_eq!(output.status.code(), Some(64));
    let text = stderr(&output);
    assert!(text.contains("\n  fleet.hubs: needs two or more"), "{text}");
    assert!(text.contains("\n  fleet.home_hub: is required"), "{text}");
}

#[tokio::test]
async fn a_service_that_is_not_there_for_a_moment_is_asked_again_with_the_same_id() {
    let (url, seen) = concierge(1).await;
    let id = "018f7c5a-7b1e-7c3a-9d2f-0123456789ab";
    let output = hubshift(
        &url,
        &format!("fleet update acme --devices 5 --request-id {id}"),
    )
    .await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(*seen.lock().unwrap(), [id, id]);
}

#[tokio::test]
async fn a_service_that_stays_away_ends_with_69_and_says_which() {
    let (url, _) = concierge(1).await;
    let output = hubshift(&url, "fleet update acme --devices 5 --retry-for 0s").await;
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    assert!(
        stderr(&output).contains("DATABASE_UNAVAILABLE"),
        "{output:?}"
    );

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", closed.local_addr().unwrap());
    drop(closed);
    let output = hubshift(&nobody, "fleet list --retry-for 0s").await;
    assert_eq!(output.status.code(), Some(69), "{output:?}");
    let text = stderr(&output);
    assert!(
        text.contains(&nobody) && text.contains("SERVICE_UNREACHABLE"),
        "{text}"
    );
}

#[tokio::test]
async fn wrong_usage_ends_with_64_and_help_with_0() {
    for (line, code) in [
        ("fleet lisst", 64),
        ("device create d --tag site=oslo", 64),
        ("merge apply", 64),
        ("--context /nowhere.toml fleet list", 64),
        ("fleet list --concierge localhost:1", 64),
        ("--output json up", 64),
        ("fleet --help", 0),
        ("--version", 0),
        ("completion bash", 0),
    ] {
        let output = hubshift("http://127.0.0.1:9", line).await;
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
    }
}
