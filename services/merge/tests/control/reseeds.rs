//! A hub that came back from an older state is no evidence: it is reseeded, and what only it has
//! is reported.

use hubshift_api::json::from_struct;
use hubshift_api::pb::merge::MergeState;
use serde_json::json;

use crate::records::{CANARY, absent, tagged};
use crate::world::World;

#[tokio::test]
async fn a_rewound_hub_takes_what_the_active_hub_has_and_what_only_it_had_is_reported() {
    let world = World::new().await;
    let old = || tagged("east", "owner", "old");
    world.hubs.put(
        "d-1",
        old(),
        tagged("east", "owner", "older"),
        tagged("west", "owner", "new"),
    );
    world.hubs.put("d-2", old(), absent(), old());
    world.hubs.put(
        "d-3",
        absent(),
        tagged("east", "owner", "only here"),
        absent(),
    );
    world.hubs.script().rewound = true;
    let plan = world.plan().await;
    assert!(plan.rewound && !plan.rewound_evidence.is_empty());
    let counts = plan.counts.unwrap();
    assert_eq!(
        (counts.primary_create_count, counts.primary_delete_count),
        (1, 1)
    );
    assert_eq!(
        counts.secondary_update_count + counts.secondary_create_count,
        0
    );
    let rescued: Vec<&str> = plan
        .rescued
        .iter()
        .map(|rescued| rescued.device.as_str())
        .collect();
    assert_eq!(rescued, ["d-1", "d-3"]);
    let record = from_struct(plan.rescued[1].record.as_ref().unwrap());
    assert_eq!(
        (&record["tags"], &record["rescued"]),
        (&json!({"owner": "only here"}), &json!("only_here"))
    );
    assert!(!format!("{plan:?}").contains(CANARY));
    world.close(&plan).await;
    let script = world.hubs.script();
    assert!(
        script.writes.iter().all(|(_, hub)| *hub == "east"),
        "{:?}",
        script.writes
    );
    assert!(world_equal(&script.devices["d-1"]));
}

fn world_equal(known: &crate::hubs::Known) -> bool {
    known.primary.side.same(&known.secondary.side)
}

#[tokio::test]
async fn a_device_that_only_the_active_hub_lacks_keeps_the_hubs_apart_and_is_named() {
    let world = World::new().await;
    let old = || tagged("east", "owner", "old");
    world.hubs.put("d-1", old(), old(), absent());
    world.hubs.put("d-2", old(), absent(), old());
    world.hubs.script().rewound = true;
    let plan = world.plan().await;
    assert!(
        plan.blockers[0].starts_with("d-1 stays different"),
        "{:?}",
        plan.blockers
    );
    world.apply(&plan).await.unwrap();
    let failed = world.until(&plan.name, MergeState::Failed).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failure.reason, "DIGEST_MISMATCH");
    assert!(failure.message.contains("d-1"), "{}", failure.message);
    assert_eq!(world.hubs.script().writes, [("d-2".to_owned(), "east")]);
}
