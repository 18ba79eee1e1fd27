//! A world on one machine, as an operator has it before them.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Folder, Up, uuid};

#[test]
fn a_world_shows_itself_and_every_refusal_says_why() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    it_shows_its_fleet(&up);
    a_device_is_made_changed_and_deleted(&up);
    a_request_id_is_good_for_one_body(&up);
    a_repeated_request_has_no_second_effect(&up);
    what_is_not_there_is_named(&up);
    up.interrupt();
}

fn it_shows_its_fleet(up: &Up<'_>) {
    let fleet = up.json("fleet get");
    assert_eq!(fleet["name"], "fleets/acme");
    assert_eq!(fleet["active_hub"], "east");
    assert_eq!(fleet["device_count"], 12);
    assert_eq!(up.told_host(), fleet["hubs"][0]["host"].as_str().unwrap());
    up.until_ready("west");
    let status = up.json("sync status");
    assert_eq!(status["active_hub"], "east");
    let west = &status["hubs"][1];
    assert_eq!(
        (&west["hub"], &west["device_count"]),
        (&"west".into(), &12.into())
    );
    assert_eq!(west["verify_epoch"], fleet["epoch"]);
}

fn a_device_is_made_changed_and_deleted(up: &Up<'_>) {
    let made = up.json("device create pump-7 --tag site=\"oslo\" --desired interval=30");
    assert_eq!(made["tags"]["site"], "oslo");
    up.hubshift("device create pump-7")
        .refused(64, "DEVICE_EXISTS");
    let changed = up.json("device update pump-7 --tag floor=3 --disable");
    assert_ne!(changed["etag"], made["etag"]);
    let shown = up.json("device get pump-7");
    assert_eq!(
        shown["tags"],
        serde_json::json!({"site": "oslo", "floor": 3})
    );
    assert_eq!(
        (&shown["enabled"], &shown["etag"]),
        (&false.into(), &changed["etag"])
    );
    let stale = format!(
        "device delete pump-7 --etag {}",
        made["etag"].as_str().unwrap()
    );
    up.hubshift(&stale).refused(75, "ETAG_MISMATCH");
    up.hubshift("device delete pump-7").ok();
    up.hubshift("device get pump-7")
        .refused(66, "DEVICE_NOT_FOUND");
}

fn a_request_id_is_good_for_one_body(up: &Up<'_>) {
    let id = uuid();
    let first = up.json(&format!("device create valve-1 --request-id {id}"));
    let again = up.json(&format!("device create valve-1 --request-id {id}"));
    assert_eq!(first, again, "a repetition gives the first answer");
    let other = format!("--output json device create valve-2 --request-id {id}");
    let problem = up
        .hubshift(&other)
        .refused(64, "REQUEST_ID_REUSED")
        .problem();
    assert_eq!(problem["reason"], "REQUEST_ID_REUSED");
    assert!(
        problem["hint"].as_str().unwrap().contains("--request-id"),
        "{problem}"
    );
    up.hubshift("device get valve-2")
        .refused(66, "DEVICE_NOT_FOUND");
}

/// A change of a whole part: what is sent does not depend on what was read.
fn a_repeated_request_has_no_second_effect(up: &Up<'_>) {
    let line = format!(
        "device update valve-1 --disable --reason moved --request-id {}",
        uuid()
    );
    let (first, again) = (up.json(&line), up.json(&line));
    assert_eq!(first["etag"], again["etag"]);
}

fn what_is_not_there_is_named(up: &Up<'_>) {
    for (line, reason) in [
        ("fleet get nobody", "FLEET_NOT_FOUND"),
        ("sync status --fleet nobody", "FLEET_NOT_FOUND"),
        ("device list --fleet nobody", "FLEET_NOT_FOUND"),
        (
            "failover start --fleet nobody --kind planned --to west",
            "FLEET_NOT_FOUND",
        ),
        ("hub get north", "HUB_NOT_FOUND"),
        ("hub test north", "HUB_NOT_FOUND"),
        ("failover start --kind planned --to north", "HUB_NOT_FOUND"),
        ("failover get", "FAILOVER_NOT_FOUND"),
    ] {
        let refused = up.hubshift(line).refused(66, reason);
        assert!(
            refused.stderr.contains("\nhint: `hubshift "),
            "{line}: {refused}"
        );
    }
}

#[test]
fn a_fleet_moves_and_comes_home_and_a_killed_world_leaves_no_process() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    up.until_ready("west");
    let (before, east) = (epoch(&up), up.told_host());
    one_of_two_moves_at_once_is_refused(&up);
    up.hubshift("failover watch").ok();
    let (between, west) = (epoch(&up), up.told_host());
    assert!(
        between > before && west != east,
        "{before} {between} {east} {west}"
    );
    let wrong = "failover start --kind planned --to east --expect east";
    up.hubshift(wrong).refused(64, "target_hub");
    let wrong = "failover start --kind failback --to west --expect east";
    up.hubshift(wrong).refused(75, "ACTIVE_HUB_CHANGED");
    up.until_ready("east");
    let home = up.json("failover start --kind failback --to east --watch");
    assert_eq!(home["state"], "succeeded");
    assert_eq!(
        home["report"]["source_digest"],
        home["report"]["target_digest"]
    );
    assert!(epoch(&up) > between);
    assert_eq!(up.told_host(), east);
    up.kill();
}

/// Two operators at the same moment: one moves the fleet, the other hears who does.
fn one_of_two_moves_at_once_is_refused(up: &Up<'_>) {
    let start = || up.hubshift("failover start --kind planned --to west");
    let both = std::thread::scope(|scope| {
        let (one, other) = (scope.spawn(start), scope.spawn(start));
        [one.join().unwrap(), other.join().unwrap()]
    });
    let mut both = both.into_iter().collect::<Vec<_>>();
    both.sort_by_key(|ran| ran.code);
    assert_eq!(both[0].code, 0, "{}", both[0]);
    let refused = both.pop().unwrap().refused(75, "FAILOVER_ACTIVE");
    assert!(
        refused.stderr.contains("fleets/acme/failovers/"),
        "{refused}"
    );
}

fn epoch(up: &Up<'_>) -> u64 {
    up.json("fleet get")["epoch"].as_u64().unwrap()
}

#[test]
fn up_again_goes_on_where_it_was() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    up.hubshift("device create kept-1").ok();
    up.hubshift("device delete thermostat-0001").ok();
    let second = common::run(
        common::hubshift(folder.root()).args(["up", "--devices", "12"]),
        common::PATIENCE,
    );
    assert!(
        second.code == 69 || second.code == 75,
        "one world at a time: {second}"
    );
    up.told_host();
    up.interrupt();

    let up = Up::start(&folder, "--devices 12");
    up.hubshift("device get kept-1").ok();
    up.hubshift("device get thermostat-0001")
        .refused(66, "DEVICE_NOT_FOUND");
    up.told_host();
    up.interrupt();
}
