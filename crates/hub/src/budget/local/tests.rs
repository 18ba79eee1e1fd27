use std::sync::Arc;

use hubshift_azure::quota::Tier;

use super::*;

const CLASS: OperationClass = OperationClass::Registry;

/// Half of 100 calls a minute, sped up to 50 a second; ten at once.
fn budget() -> LocalBudget {
    LocalBudget::new(&BudgetSettings {
        tier: Some(Tier::S1),
        speed: 60.0,
        ..BudgetSettings::default()
    })
}

fn later(seconds: u64) -> Instant {
    Instant::now() + Duration::from_secs(seconds)
}

#[test]
fn every_class_has_a_place_of_its_own() {
    for (place, class) in CLASSES.into_iter().enumerate() {
        assert_eq!(index(class), place);
    }
}

#[tokio::test(start_paused = true)]
async fn calls_beyond_the_burst_wait() {
    let (budget, start) = (budget(), Instant::now());
    for _ in 0..10 {
        budget.take(CLASS, later(60)).await.unwrap();
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    for _ in 0..50 {
        budget.take(CLASS, later(60)).await.unwrap();
    }
    let elapsed = start.elapsed().as_secs_f64();
    assert!((0.99..1.1).contains(&elapsed), "{elapsed}");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_served_in_time_is_told_at_once() {
    let (budget, start) = (budget(), Instant::now());
    for _ in 0..10 {
        budget.take(CLASS, start).await.unwrap();
    }
    let wait = budget.take(CLASS, start).await.unwrap_err();
    assert!(
        wait > Duration::ZERO && wait < Duration::from_millis(30),
        "{wait:?}"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    // The one that was refused took nobody's place.
    tokio::time::advance(wait).await;
    budget.take(CLASS, Instant::now()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn calls_go_in_the_order_in_which_they_came() {
    let budget = Arc::new(budget());
    let order = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (budget, order) = (Arc::clone(&budget), Arc::clone(&order));
        tasks.spawn(async move {
            budget.take(CLASS, later(60)).await.unwrap();
            order.lock().unwrap().push(number);
        });
        // Each has asked before the next one comes.
        tokio::task::yield_now().await;
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let order = order.lock().unwrap();
    assert!(order.is_sorted(), "{order:?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_out_in_a_pause_not_even_who_waits_already() {
    let budget = Arc::new(budget());
    let start = Instant::now();
    for _ in 0..10 {
        budget.take(CLASS, later(60)).await.unwrap();
    }
    let waiting = tokio::spawn({
        let budget = Arc::clone(&budget);
        async move {
            budget.take(CLASS, later(600)).await.unwrap();
            Instant::now()
        }
    });
    tokio::task::yield_now().await;
    // Ten seconds of the hub's clock are a sixth of one of ours.
    budget.throttled(CLASS, Duration::from_secs(10));
    let refused = budget.take(CLASS, Instant::now()).await.unwrap_err();
    assert!(
        refused >= Duration::from_secs_f64(10.0 / 60.0),
        "{refused:?}"
    );
    let went = waiting.await.unwrap().duration_since(start);
    assert!(went >= Duration::from_secs_f64(10.0 / 60.0), "{went:?}");
    assert!(went < Duration::from_secs(1), "{went:?}");
}

#[tokio::test(start_paused = true)]
async fn the_other_classes_go_on() {
    let (budget, start) = (budget(), Instant::now());
    budget.throttled(CLASS, Duration::from_secs(600));
    budget.take(OperationClass::TwinRead, start).await.unwrap();
    assert!(budget.take(CLASS, start).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn without_a_tier_only_a_429_holds_back() {
    let (budget, start) = (LocalBudget::unlimited(), Instant::now());
    for _ in 0..1000 {
        budget.take(CLASS, start).await.unwrap();
    }
    budget.throttled(CLASS, Duration::from_secs(10));
    let wait = budget.take(CLASS, start).await.unwrap_err();
    assert!((10..16).contains(&wait.as_secs()), "{wait:?}");
}

#[tokio::test(start_paused = true)]
async fn queries_end_with_their_part_of_the_day() {
    let (budget, now) = (
        LocalBudget::new(&BudgetSettings {
            daily_messages: Some(2),
            ..BudgetSettings::default()
        }),
        Instant::now(),
    );
    budget.spent(1);
    budget.take(OperationClass::Query, now).await.unwrap();
    budget.spent(1);
    let wait = budget.take(OperationClass::Query, now).await.unwrap_err();
    assert!(wait <= Duration::from_secs(86_400), "{wait:?}");
    budget.take(CLASS, now).await.unwrap();
}
