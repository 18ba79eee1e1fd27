//! The queues with a clock that stands still until all wait.

use hubshift_azure::quota::Tier;

use super::*;

fn throttle(settings: Settings) -> Throttle {
    let tier = Some(Tier::S1);
    Throttle::new(Settings { tier, ..settings })
}

#[tokio::test(start_paused = true)]
async fn a_call_over_the_rate_waits_its_turn() {
    let throttle = throttle(Settings::default());
    let start = Instant::now();
    for _ in 0..12 {
        throttle.admit(Class::Registry, 1).await.unwrap();
    }
    let passed = start.elapsed().as_secs_f64();
    assert!((1.2..1.3).contains(&passed), "{passed}");
    assert_eq!(throttle.refused(OperationClass::Registry), 0);
}

#[tokio::test(start_paused = true)]
async fn a_fast_clock_shortens_the_wait() {
    let throttle = throttle(Settings {
        speed: 60.0,
        ..Settings::default()
    });
    let start = Instant::now();
    for _ in 0..110 {
        throttle.admit(Class::Registry, 1).await.unwrap();
    }
    let passed = start.elapsed().as_secs_f64();
    assert!((0.98..1.2).contains(&passed), "{passed}");
}

#[tokio::test(start_paused = true)]
async fn who_would_wait_too_long_is_refused_when_the_time_is_over() {
    let throttle = throttle(Settings {
        shaping: 0.5,
        ..Settings::default()
    });
    throttle.admit(Class::Registry, 50).await.unwrap();
    let start = Instant::now();
    let refused = throttle.admit(Class::Registry, 1).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ThrottlingBacklogTimeout);
    assert!(
        refused.words.ends_with("Operation type: CRUD"),
        "{refused:?}"
    );
    assert!((500..=502).contains(&start.elapsed().as_millis()));
    assert_eq!(throttle.refused(OperationClass::Registry), 1);
    // Classes do not share.
    throttle.admit(Class::Query, 1).await.unwrap();
    let counts = throttle.counts();
    assert_eq!(counts["query"].admitted, 1);
    assert_eq!(counts["registry"].waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once() {
    let throttle = throttle(Settings {
        backlog: 1,
        ..Settings::default()
    });
    for _ in 0..10 {
        throttle.admit(Class::Registry, 1).await.unwrap();
    }
    let waits = throttle.admit(Class::Registry, 1);
    let refused = async {
        tokio::task::yield_now().await;
        assert_eq!(throttle.counts()["registry"].waiting, 1);
        throttle.admit(Class::Registry, 1).await.unwrap_err()
    };
    let (first, refused) = tokio::join!(waits, refused);
    first.unwrap();
    assert_eq!(refused.code, ErrorCode::ThrottleBacklogLimitExceeded);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_gives_up_leaves_its_place() {
    let throttle = throttle(Settings::default());
    throttle.admit(Class::Registry, 12).await.unwrap();
    let given_up =
        tokio::time::timeout(Duration::from_millis(1), throttle.admit(Class::Registry, 1));
    assert!(given_up.await.is_err());
    assert_eq!(throttle.counts()["registry"].waiting, 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_tier_nothing_waits_and_an_order_begins_with_full_buckets() {
    let throttle = Throttle::new(Settings::default());
    for _ in 0..100 {
        throttle.admit(Class::Registry, 100).await.unwrap();
    }
    assert!(throttle.counts().is_empty());
    let settings = Settings {
        tier: Some(Tier::S1),
        shaping: 0.0,
        ..Settings::default()
    };
    throttle.set(settings);
    throttle.admit(Class::Registry, 100).await.unwrap();
    assert!(throttle.admit(Class::Registry, 1).await.is_err());
    throttle.set(settings);
    throttle.admit(Class::Registry, 100).await.unwrap();
    assert_eq!(throttle.refused(OperationClass::Registry), 1);
}

#[tokio::test(start_paused = true)]
async fn the_messages_of_a_day_run_out_and_come_back() {
    let throttle = Throttle::new(Settings {
        tier: Some(Tier::F1),
        ..Settings::default()
    });
    for _ in 0..8_000 {
        throttle.check_messages().unwrap();
        throttle.count_message();
    }
    let refused = throttle.check_messages().unwrap_err();
    assert_eq!(refused.code, ErrorCode::IotHubQuotaExceeded);
    tokio::time::advance(Duration::from_secs(24 * 60 * 60)).await;
    throttle.check_messages().unwrap();
}

#[test]
fn a_refusal_says_when_to_come_back_only_if_ordered() {
    let silent = throttle(Settings::default());
    let mut answer = Response::new(());
    silent.mark(&mut answer, Version::HTTP_11, None);
    assert_eq!(answer.headers()["connection"], "close");
    assert!(!answer.headers().contains_key("retry-after"));
    let telling = throttle(Settings {
        retry_after: Some(7),
        ..Settings::default()
    });
    let mut answer = Response::new(());
    telling.mark(&mut answer, Version::HTTP_2, None);
    assert_eq!(answer.headers()["retry-after"], "7");
    assert!(!answer.headers().contains_key("connection"));
    telling.mark(&mut answer, Version::HTTP_2, Some(2));
    assert_eq!(answer.headers()["retry-after"], "2");
}
