//! The hub's answers against Microsoft's own description of the API (`service.json`).
//!
//! Every operation is done right once, and must succeed with a body of the described form. Then
//! requests are generated from the description and most of them bent: none may get a 5xx, and
//! every answer must be a described one or a refusal in the hub's own form.
//!
//! `HUBSHIFT_CONTRACT_SEED` and `HUBSHIFT_CONTRACT_REQUESTS` repeat a run or make it longer.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../blobs/mod.rs"]
mod blobs;
#[path = "../common/mod.rs"]
mod common;
mod cover;
mod draft;
mod drive;
mod generate;
mod judge;
mod mutate;
mod pools;
mod schema;
mod seed;
mod spec;

use std::time::Instant;

use blobs::Azurite;
use cover::Cover;
use drive::Campaign;
use schema::Schemas;
use spec::Spec;

/// Requests of a run, and the number that all of its chances come from.
const REQUESTS: u64 = 20_000;
const SEED: u64 = 3;

/// What needs Azurite, and is not covered where there is none.
const ON_BLOBS: [&str; 3] = [
    "Jobs_CreateImportExportJob",
    "Jobs_GetImportExportJob",
    "Jobs_CancelImportExportJob",
];

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_succeeds_as_described() {
    let (spec, hub) = (Spec::read(), common::hub().await);
    let schemas = Schemas::new(&spec);
    seed::seed(&hub).await;
    let mut cover = Cover::new(&hub, &spec, &schemas);
    cover.registry().await;
    let azurite = Azurite::start();
    if let Some(azurite) = &azurite {
        cover.blob_jobs(azurite).await;
    }
    for (operation, status) in &cover.answered {
        println!("{status} {operation}");
    }
    let mut missing = cover.missing();
    missing.retain(|id| azurite.is_some() || !ON_BLOBS.contains(id));
    assert_eq!(missing, Vec::<&str>::new(), "never answered 2xx");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_gets_an_answer_that_there_may_not_be() {
    let (seed, count) = (number("SEED", SEED), number("REQUESTS", REQUESTS));
    println!("HUBSHIFT_CONTRACT_SEED={seed} HUBSHIFT_CONTRACT_REQUESTS={count}");
    let hub = common::hub().await;
    let scope = seed::seed(&hub).await;
    let started = Instant::now();
    let count = usize::try_from(count).unwrap();
    let tally = Campaign::new(&hub, Spec::read(), scope, seed, count)
        .run()
        .await;
    println!("{count} requests in {:.1?}", started.elapsed());
    println!("by status: {:?}", tally.statuses);
    println!("by operation: {:?}", tally.operations);

    let shown: Vec<_> = tally.failures.iter().take(10).map(String::as_str).collect();
    assert!(tally.failures.is_empty(), "{}", shown.join("\n"));
    // Else the generator makes nothing but nonsense.
    let good: usize = tally.statuses.range(200..300).map(|(_, count)| count).sum();
    assert!(good > count / 10, "only {good} of {count} succeeded");
}

/// What the environment says, or else.
fn number(name: &str, default: u64) -> u64 {
    let said = std::env::var(format!("HUBSHIFT_CONTRACT_{name}"));
    said.map_or(default, |text| text.parse().expect("a number"))
}
