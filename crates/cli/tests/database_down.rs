//! PostgreSQL stops under a running world, and comes back.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{
    Folder, PATIENCE, Serving, Up, pid_of, services, serving, signal, start_postgres,
    stop_postgres, until, uuid,
};

#[test]
fn devices_are_answered_operators_hear_what_to_do_and_nothing_exits() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    let (processes, host) = (services(&folder), up.told_host());
    assert_eq!(
        processes.len(),
        5,
        "three services, two hubs: {processes:?}"
    );

    stop_postgres(&folder);
    devices_are_answered_as_before(&up, &host);
    let id = uuid();
    operators_hear_what_to_do(&up, &id);
    for service in ["concierge", "registry", "merge"] {
        let address = up.address(service);
        let says_so = || (serving(&address) == Serving::No).then_some(());
        until(&format!("{service} says NOT_SERVING"), PATIENCE, says_so);
    }
    assert_eq!(
        services(&folder),
        processes,
        "nothing exits, nothing is started anew"
    );

    let server = start_postgres(&folder);
    up.hubshift("--retry-for 1m fleet get").ok();
    let made = up.json(&format!(
        "--retry-for 1m device create outage-1 --request-id {id}"
    ));
    assert_eq!(made["name"], "fleets/acme/devices/outage-1");
    let fresh = || (up.ask("/v1/fleets/acme/endpoint").1["stale"] == false).then_some(());
    until("the answers are fresh again", PATIENCE, fresh);
    up.until_ready("west");
    up.hubshift("sync verify --wait").ok();
    assert_eq!(services(&folder), processes, "the same processes go on");

    drop(server);
    let killed = pid_of(&folder, "concierge");
    signal("KILL", killed);
    let answered = until("a new concierge answers from its file", PATIENCE, || {
        up.try_ask("/v1/fleets/acme/endpoint")
    });
    assert_eq!((answered.0, &answered.1["stale"]), (200, &true.into()));
    assert_eq!(up.told_host(), host);
    assert_ne!(pid_of(&folder, "concierge"), killed);
    up.interrupt();
}

/// Every answer is 200 and sends devices to the same hub; after a while it says that it is stale.
fn devices_are_answered_as_before(up: &Up<'_>, host: &str) {
    until("answers say that they are stale", PATIENCE, || {
        assert_eq!(up.told_host(), host);
        let (_, answer) = up.ask("/v1/fleets/acme/endpoint?device=thermostat-0001");
        (answer["stale"] == true).then_some(())
    });
    let (status, health) = up.ask("/healthz");
    assert_eq!(
        (status, &health["serving"]),
        (200, &true.into()),
        "{health}"
    );
}

/// Of every service; `id` is the request of a device that is to be made later.
fn operators_hear_what_to_do(up: &Up<'_>, id: &str) {
    let create = format!("device create outage-1 --request-id {id}");
    for line in [
        "fleet get",
        "failover list",
        "sync status",
        "merge list",
        &create,
    ] {
        let line = format!("--output json --retry-for 0s {line}");
        let problem = up
            .hubshift(&line)
            .refused(69, "DATABASE_UNAVAILABLE")
            .problem();
        assert_eq!(problem["reason"], "DATABASE_UNAVAILABLE");
        let what_next = problem["hint"].as_str().unwrap();
        assert!(what_next.contains("PostgreSQL"), "{problem}");
    }
    let refused = up.hubshift(&format!("--retry-for 0s {create}"));
    assert!(
        refused.stderr.contains(&format!("--request-id {id}")),
        "{refused}"
    );
}
