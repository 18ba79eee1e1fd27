//! The runbook's lines, run as they stand there, around outages that are played for them: once
//! those of the command line, once those of grpcurl.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::time::Duration;

use common::{
    Block, Folder, PATIENCE, Up, blocks, grpcurl, paused, sh, start_postgres, stop_postgres,
    tag_past_us, until,
};
use hubshift_domain::route::{KeySet, PublicKey};

/// The longest blocks wait for a hub, and then follow a move.
const DEADLINE: Duration = Duration::from_secs(240);

/// The device that both sides change.
const DISPUTED: &str = "thermostat-0002";

/// Every name that the page uses.
const NAMES: [&str; 14] = [
    "before",
    "database-is-back",
    "database-is-down",
    "database-is-down-grpcurl",
    "east-is-back",
    "east-is-back-grpcurl",
    "east-is-down",
    "east-is-down-grpcurl",
    "practise-east-goes-down",
    "practise-east-returns",
    "practise-west-dies",
    "practise-west-returns",
    "rotate-key",
    "west-dies",
];

/// The page's blocks that have a name.
fn runbook() -> Vec<(String, Block)> {
    let all = blocks("docs/runbook.md");
    all.into_iter()
        .filter_map(|block| Some((block.name.clone()?, block)))
        .collect()
}

/// Runs the blocks of a name, in their order; returns what they printed.
fn play(folder: &Folder, name: &str) -> String {
    let ours = runbook().into_iter().filter(|(named, _)| named == name);
    let mut printed = String::new();
    for (_, block) in ours {
        println!("--- {name}\n{}", block.text);
        printed += &sh(folder, &block.text, DEADLINE).ok().stdout;
    }
    assert!(!printed.is_empty(), "{name} says nothing");
    printed
}

#[test]
fn every_named_block_of_the_page_is_played_here() {
    let found: BTreeSet<String> = runbook().into_iter().map(|(name, _)| name).collect();
    assert_eq!(found, NAMES.map(str::to_owned).into());
}

#[test]
fn the_lines_of_the_command_line_work() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    play(&folder, "before");
    east_goes_down_with_a_secret(&folder);
    let down = play(&folder, "east-is-down");
    assert!(down.contains("east does not answer"), "{down}");
    west_lives_on(&up);
    play(&folder, "practise-east-returns");
    let back = play(&folder, "east-is-back");
    assert!(back.contains("delete_modify"), "{back}");
    all_is_well_at_home(&up);
    up.hubshift("device get made-during-outage").ok();
    stop_postgres(&folder);
    let down = play(&folder, "database-is-down");
    assert!(down.contains("\"route\""), "{down}");
    let server = start_postgres(&folder);
    play(&folder, "database-is-back");
    drop(server);
    up.interrupt();
}

#[test]
fn the_lines_of_grpcurl_work() {
    if grpcurl().is_none() {
        return;
    }
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    play(&folder, "before");
    east_goes_down_with_a_secret(&folder);
    play(&folder, "east-is-down-grpcurl");
    west_lives_on(&up);
    play(&folder, "practise-east-returns");
    play(&folder, "east-is-back-grpcurl");
    all_is_well_at_home(&up);
    stop_postgres(&folder);
    play(&folder, "database-is-down-grpcurl");
    let server = start_postgres(&folder);
    play(&folder, "database-is-back");
    drop(server);
    up.interrupt();
}

#[test]
fn a_move_whose_new_hub_died_is_taken_over_from() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    play(&folder, "before");
    play(&folder, "practise-west-dies");
    play(&folder, "west-dies");
    assert_eq!(up.json("fleet get")["active_hub"], "east");
    up.hubshift("device create after-it-all").ok();
    play(&folder, "practise-west-returns");
    let planned = up.json("merge plan --hub west");
    let plan = planned["plan_id"].as_str().unwrap();
    up.hubshift(&format!("merge apply --plan-id {plan} --wait"))
        .ok();
    up.until_ready("west");
    assert_eq!(up.json("fleet get")["debts"], serde_json::json!([]));
    up.hubshift("sync verify --wait").ok();
    up.interrupt();
}

/// What any device is told.
const ASK: &str = r#"
port=$(sed -n 's/^public_listen = .*:\([0-9]*\).$/\1/p' .hubshift/config/concierge.toml)
curl --fail --silent --show-error --cacert .hubshift/tls/concierge/ca.pem \
    "https://localhost:$port/v1/fleets/acme/endpoint"
"#;

#[test]
fn the_lines_of_a_key_rotation_work() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    let route = || {
        let told = sh(&folder, ASK, PATIENCE).ok().json();
        told["route"].as_str().unwrap().to_owned()
    };
    let before = route();
    play(&folder, "rotate-key");
    let key = |name: &str| {
        let jwk = std::fs::read(folder.root().join(name)).unwrap();
        KeySet::new([PublicKey::from_jwk(&jwk).unwrap()])
    };
    let (old, new) = (key("old.jwk"), key("new.jwk"));
    let before = old.verify(&before).unwrap();
    let after = until("a route under the new key", PATIENCE, || {
        new.verify(&route()).ok()
    });
    assert!(after.tells_the_same(&before));
    up.interrupt();
}

/// A script changes a device at east in the last moment: Hubshift does not hear of it.
fn east_goes_down_with_a_secret(folder: &Folder) {
    paused(folder, "registry-sync", || {
        tag_past_us(folder, "east", DISPUTED, "owner", "script");
        play(folder, "practise-east-goes-down");
    });
}

/// The fleet is at west with its debts, and deletes the device that the script changed.
fn west_lives_on(up: &Up<'_>) {
    let fleet = up.json("fleet get");
    assert_eq!(fleet["active_hub"], "west");
    let debts = fleet["debts"].as_array().unwrap();
    let owed: BTreeSet<&str> = debts
        .iter()
        .map(|debt| debt["kind"].as_str().unwrap())
        .collect();
    assert_eq!(owed, ["FENCE_REQUIRED", "MERGE_REQUIRED"].into());
    up.hubshift(&format!("device delete {DISPUTED}")).ok();
}

/// Nothing is owed any more, and the runbook's person took west's side.
fn all_is_well_at_home(up: &Up<'_>) {
    let fleet = up.json("fleet get");
    assert_eq!(fleet["active_hub"], "east");
    assert_eq!(fleet["debts"], serde_json::json!([]));
    let listed = up.json("merge conflicts");
    let [conflict] = listed["conflicts"].as_array().unwrap().as_slice() else {
        panic!("one conflict, and not {listed}");
    };
    assert_eq!(
        (&conflict["key"], &conflict["state"]),
        (&DISPUTED.into(), &"resolved".into())
    );
    assert_eq!(conflict["resolver"], "runbook");
    up.hubshift(&format!("device get {DISPUTED}"))
        .refused(66, "DEVICE_NOT_FOUND");
}
