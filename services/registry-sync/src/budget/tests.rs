//! Budgets over a real database: what replicas share, and what becomes of it when that is gone.

use hubshift_store::PoolConfig;
use hubshift_testkit::pg::{Database, Role};
use hubshift_testkit::{Proxy, eventually};

use super::*;

const PATIENCE: Duration = Duration::from_secs(30);
const REGISTRY: OperationClass = OperationClass::Registry;
const QUERY: OperationClass = OperationClass::Query;

/// An S1 hub whose clock runs so much faster: 60 makes of its 100 calls a minute 100 a second.
fn s1(speed: f64) -> BudgetSettings {
    BudgetSettings {
        tier: Some(Tier::S1),
        units: 1,
        share: 1.0,
        speed,
        daily_messages: None,
    }
}

fn replica(pool: &PgPool, settings: BudgetSettings) -> SharedBudget {
    let (fleet, hub) = (FleetId::new("acme").unwrap(), HubId::new("west").unwrap());
    SharedBudget::new(pool.clone(), fleet, hub, settings)
}

async fn take(budget: &SharedBudget, class: OperationClass) {
    budget.take(class, Instant::now() + PATIENCE).await.unwrap();
}

/// Rate and seconds of pause as the table has them.
async fn stored(pool: &PgPool) -> Option<(Option<f64>, Option<f64>)> {
    sqlx::query_as(
        "select rate, extract(epoch from pause_until - clock_timestamp())::float8
           from registry.budget where class = 'registry'",
    )
    .fetch_optional(pool)
    .await
    .unwrap()
}

/// Up to when the timeline is reserved.
async fn reserved(pool: &PgPool) -> time::OffsetDateTime {
    sqlx::query_scalar("select next_time from registry.budget where class = 'registry'")
        .fetch_one(pool)
        .await
        .unwrap()
}

/// Whether anything was reserved.
async fn reserved_at_all(pool: &PgPool) -> bool {
    stored(pool).await.is_some()
}

#[tokio::test]
async fn replicas_together_call_no_faster_than_one_may() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let replicas = [replica(&pool, s1(60.0)), replica(&pool, s1(60.0))];
    let begun = Instant::now();
    let calls = (0..200).map(|number| take(&replicas[number % 2], REGISTRY));
    futures::future::join_all(calls).await;
    let elapsed = begun.elapsed();
    // 200 calls at 100 a second, give or take half a second that may be caught up.
    assert!(elapsed >= Duration::from_millis(1400), "{elapsed:?}");
    let other_class = Instant::now();
    take(&replicas[0], OperationClass::TwinRead).await;
    assert!(
        other_class.elapsed() < Duration::from_secs(1),
        "its own line"
    );
}

#[tokio::test]
async fn a_refusal_at_one_replica_pauses_and_slows_both_and_counts_once() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let (one, other) = (replica(&pool, s1(60.0)), replica(&pool, s1(60.0)));
    take(&one, REGISTRY).await;
    // Two seconds, for the hub's clock is fast.
    for _ in 0..16 {
        one.throttled(REGISTRY, Duration::from_secs(120));
    }
    let is_told = || async { stored(&pool).await.is_some_and(|row| row.0.is_some()) };
    assert!(eventually(PATIENCE, is_told).await, "the others never hear");
    let (rate, pause) = stored(&pool).await.unwrap();
    let (rate, pause) = (rate.unwrap(), pause.unwrap());
    assert!((rate - 50.0).abs() < 0.1, "{rate}");
    assert!(0.0 < pause && pause <= 2.0, "{pause}");
    let begun = Instant::now();
    take(&other, REGISTRY).await;
    let waited = begun.elapsed().as_secs_f64();
    assert!(waited >= pause - 0.2, "{waited} of {pause}");
    let rate = other.shared.line(REGISTRY).stands().0.unwrap();
    assert!((49.9..75.0).contains(&rate), "little by little: {rate}");
}

#[tokio::test]
async fn a_call_that_waits_when_a_refusal_comes_waits_for_the_end_of_the_pause() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    // A call in two seconds.
    let budget = replica(&pool, s1(0.3));
    take(&budget, REGISTRY).await;
    let first = reserved(&pool).await;
    let waiting = tokio::spawn({
        let budget = budget.clone();
        async move {
            take(&budget, REGISTRY).await;
            Instant::now()
        }
    });
    let is_waiting = || async { reserved(&pool).await > first };
    assert!(eventually(PATIENCE, is_waiting).await);
    let refused = Instant::now();
    budget.throttled(REGISTRY, Duration::from_millis(900));
    let called = waiting.await.unwrap();
    let waited = called.saturating_duration_since(refused);
    assert!(waited >= Duration::from_millis(2900), "{waited:?}");
}

/// The database's clock was an hour ahead when slots were reserved and a pause was noted, and is not
/// any more: perhaps another server answers.
#[tokio::test]
async fn a_clock_that_was_set_back_stops_no_call() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let budget = replica(&pool, s1(60.0));
    take(&budget, REGISTRY).await;
    let later = "update registry.budget
                    set next_time = next_time + interval '1 hour',
                        pause_until = clock_timestamp() + interval '1 hour'";
    sqlx::query(later).execute(&pool).await.unwrap();
    let begun = Instant::now();
    take(&replica(&pool, s1(60.0)), REGISTRY).await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{begun:?}");
    sqlx::query(later).execute(&pool).await.unwrap();
    budget.throttled(REGISTRY, Duration::from_secs(120));
    let is_told = || async { stored(&pool).await.is_some_and(|row| row.0.is_some()) };
    assert!(eventually(PATIENCE, is_told).await, "the rate is halved");
    let pause = stored(&pool).await.unwrap().1.unwrap();
    assert!(pause <= 2.0, "{pause}");
}

#[tokio::test]
async fn a_slot_beyond_the_deadline_is_refused_at_once_and_left_to_others() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let budget = replica(&pool, s1(1.0));
    take(&budget, REGISTRY).await;
    let begun = Instant::now();
    let mut refusals = Vec::new();
    for _ in 0..20 {
        let until = Instant::now() + Duration::from_millis(100);
        refusals.extend(budget.take(REGISTRY, until).await.err());
    }
    assert!(refusals.len() >= 10, "{refusals:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert!(refusals.iter().all(|wait| !wait.is_zero()));
    // What was refused was not used up.
    take(&budget, REGISTRY).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn an_unknown_tier_is_free_until_a_refusal_teaches_its_limit_to_all() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let unknown = || BudgetSettings {
        tier: None,
        ..s1(1.0)
    };
    let (one, other) = (replica(&pool, unknown()), replica(&pool, unknown()));
    for _ in 0..40 {
        take(&one, REGISTRY).await;
        one.answered(REGISTRY);
    }
    take(&other, REGISTRY).await;
    assert_eq!(other.shared.line(REGISTRY).stands().0, None);
    one.throttled(REGISTRY, Duration::from_millis(100));
    let is_told = || async { stored(&pool).await.is_some_and(|row| row.0.is_some()) };
    assert!(eventually(PATIENCE, is_told).await);
    let learned = stored(&pool).await.unwrap().0.unwrap();
    // Half of a hundred a minute at least: no hub allows less.
    assert!((0.8..=20.0).contains(&learned), "{learned}");
    let hears = || async {
        take(&other, REGISTRY).await;
        other.shared.line(REGISTRY).stands().0.is_some()
    };
    assert!(eventually(PATIENCE, hears).await);
}

#[tokio::test]
async fn queries_wait_when_the_messages_of_the_day_are_spent() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    let allowed = || BudgetSettings {
        daily_messages: Some(10),
        ..s1(600.0)
    };
    let (one, other) = (replica(&pool, allowed()), replica(&pool, allowed()));
    take(&one, QUERY).await;
    one.spent(100 * 4096);
    let until = || Instant::now() + Duration::from_secs(5);
    let is_spent = || async { one.take(QUERY, until()).await.is_err() };
    assert!(eventually(PATIENCE, is_spent).await);
    let wait = other.take(QUERY, until()).await.unwrap_err();
    assert!(wait > Duration::from_millis(100), "{wait:?}");
    take(&one, REGISTRY).await;
    // What a failover has to see is not for sweeps to use up.
    for lane in [Lane::Task, Lane::Person] {
        take(&other.in_lane(lane), QUERY).await;
    }
    assert!(other.take(QUERY, until()).await.is_err());
}

#[tokio::test]
async fn a_person_waits_for_one_call_of_a_pass_and_not_for_the_pass() {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Registry).await.unwrap();
    // Five calls a second.
    let budget = replica(&pool, s1(3.0));
    let begun = Instant::now();
    let mut pass = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let budget = budget.clone();
        pass.spawn(async move { take(&budget, REGISTRY).await });
    }
    let is_under_way = || async { reserved_at_all(&pool).await };
    assert!(eventually(PATIENCE, is_under_way).await);
    let asked = Instant::now();
    take(&budget.in_lane(Lane::Person), REGISTRY).await;
    let waited = asked.elapsed();
    assert!(waited < Duration::from_millis(1500), "{waited:?}");
    pass.join_all().await;
    let elapsed = begun.elapsed();
    // And the pass is none the slower.
    assert!(elapsed < Duration::from_secs(9), "{elapsed:?}");
}

#[tokio::test]
async fn without_its_database_a_replica_goes_on_slowly_and_does_not_hang() {
    let database = Database::fresh().await.unwrap();
    let proxy = Proxy::before(&database.url(Role::Registry)).await.unwrap();
    let config = PoolConfig {
        urls: proxy.url().to_owned(),
        max_connections: 8,
        application: "budget-test",
    };
    let store = hubshift_store::Database::lazy(&config).unwrap();
    let budget = replica(store.pool(), s1(60.0));
    take(&budget, REGISTRY).await;
    proxy.vanish();
    let begun = Instant::now();
    for _ in 0..30 {
        take(&budget, REGISTRY).await;
    }
    let elapsed = begun.elapsed();
    // A second of waiting for the database, then 25 calls a second.
    assert!(elapsed >= Duration::from_millis(1900), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(10), "{elapsed:?}");
    // A refusal counts here too, and is told when there is somebody to tell.
    budget.throttled(REGISTRY, Duration::from_secs(60));
    proxy.come_back();
    let admin = database.connect(Role::Superuser).await.unwrap();
    let is_told = || async {
        take(&budget, REGISTRY).await;
        stored(&admin).await.is_some_and(|row| row.0.is_some())
    };
    assert!(eventually(PATIENCE, is_told).await);
}
