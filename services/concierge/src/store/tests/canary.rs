//! One canary at a time, and each ends once.

use hubshift_domain::canary::RevertCause;
use hubshift_domain::route::{Cohort, DeviceHash};
use time::OffsetDateTime;

use super::*;
use crate::store::canary::{self, NewCanary};

fn new(cohort: &Cohort, life: Duration) -> NewCanary<'_> {
    let start_time = OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap();
    NewCanary {
        canary_id: Uuid::now_v7(),
        fleet_id: FLEET,
        hub_id: "west",
        epoch: OLD,
        cohort,
        start_time,
        until_time: start_time + life,
    }
}

async fn routing_version(connection: &mut PgConnection) -> i64 {
    let row = fleet::get(connection, FLEET).await.unwrap();
    row.unwrap().routing_version
}

#[tokio::test]
async fn a_canary_ends_once_and_is_remembered_for_a_day() {
    let world = world().await;
    let mut connection = world.concierge.acquire().await.unwrap();
    let cohort = Cohort::Devices(vec![DeviceHash::of("d-1"), DeviceHash::of("d-2")]);
    let began = new(&cohort, Duration::from_secs(900));
    let before = routing_version(&mut connection).await;
    canary::begin(&mut connection, &began).await.unwrap();
    assert_eq!(routing_version(&mut connection).await, before + 1);
    let running = canary::running(&mut connection, FLEET).await.unwrap();
    let running = running.unwrap();
    assert_eq!(running.entry().unwrap().cohort, cohort);

    for (ended, version) in [(true, before + 2), (false, before + 2)] {
        let outcome = canary::end(&mut connection, &running, RevertCause::Expired).await;
        assert_eq!(outcome.unwrap(), ended);
        assert_eq!(routing_version(&mut connection).await, version);
    }
    assert_eq!(canary::forget_old(&mut connection).await.unwrap(), 0);
    let latest = canary::latest(&mut connection, FLEET).await.unwrap();
    assert_eq!(latest.unwrap().end_cause.as_deref(), Some("expired"));
    sqlx::query("update concierge.canary set end_time = now() - interval '25 hours'")
        .execute(&mut *connection)
        .await
        .unwrap();
    let latest = canary::latest(&mut connection, FLEET).await.unwrap();
    assert!(latest.is_none());
    assert_eq!(canary::forget_old(&mut connection).await.unwrap(), 1);
}

#[tokio::test]
async fn a_second_canary_and_one_that_lasts_too_long_are_refused_by_the_database() {
    let world = world().await;
    let mut connection = world.concierge.acquire().await.unwrap();
    let cohort = Cohort::Percent(5);
    let too_long = new(&cohort, Duration::from_secs(24 * 3_600 + 1));
    let refused = canary::begin(&mut connection, &too_long).await;
    assert!(refused.unwrap_err().is_constraint("concierge_canary_life"));
    let (first, second) = (
        new(&cohort, Duration::from_secs(24 * 3_600)),
        new(&cohort, Duration::from_secs(1)),
    );
    canary::begin(&mut connection, &first).await.unwrap();
    let refused = canary::begin(&mut connection, &second).await.unwrap_err();
    assert!(
        refused.is_constraint("concierge_canary_one_running"),
        "{refused}"
    );
    let empty = Cohort::Devices(Vec::new());
    let nobody = new(&empty, Duration::from_secs(1));
    let refused = canary::begin(&mut connection, &nobody).await.unwrap_err();
    assert!(
        refused.is_constraint("concierge_canary_cohort"),
        "{refused}"
    );
}
