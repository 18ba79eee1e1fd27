//! A concierge that asks for time gets it.

use std::time::{Duration, Instant};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

fn refuse(known: &Shared, status: StatusCode, after: &'static str) {
    known.lock().unwrap().refusal = Some((status, after));
}

fn asked(known: &Shared) -> usize {
    known.lock().unwrap().queries.len()
}

#[tokio::test]
async fn one_that_is_overloaded_is_left_alone_and_the_next_one_asked() {
    let (first, overloaded) = concierge(&route(1024)).await;
    let (second, good) = concierge(&route(1024)).await;
    refuse(&overloaded, StatusCode::TOO_MANY_REQUESTS, "3600");
    let mut device = open(config(vec![first, second])).unwrap();
    assert!(device.poll().await.unwrap().is_answered);
    // Then the other one dies: the first is not asked before its time all the same.
    good.lock().unwrap().route.clear();
    assert!(!device.poll().await.unwrap().is_answered);
    assert_eq!((asked(&overloaded), asked(&good)), (1, 2));
}

#[tokio::test]
async fn without_another_one_the_device_waits() {
    let (url, known) = concierge(&route(1024)).await;
    refuse(&known, StatusCode::SERVICE_UNAVAILABLE, "1800");
    let mut device = open(config(vec![url])).unwrap();
    let start = Instant::now();
    match device.poll().await {
        Err(DeviceError::NoRoute(error)) => {
            assert_eq!(error.retry_after(), Some(HOUR / 2));
        }
        other => panic!("{other:?}"),
    }
    let wait = device.poll_at() - start;
    assert!(
        wait >= HOUR / 2 && wait <= HOUR + Duration::from_secs(5),
        "{wait:?}"
    );
    assert!(matches!(
        device.poll().await,
        Err(DeviceError::NoRoute(PollError::HeldOff))
    ));
    assert_eq!(asked(&known), 1);
}

#[tokio::test]
async fn a_wait_without_end_is_capped() {
    let (url, known) = concierge(&route(1024)).await;
    refuse(&known, StatusCode::SERVICE_UNAVAILABLE, "999999999");
    let mut device = open(config(vec![url])).unwrap();
    device.poll().await.unwrap_err();
    let wait = device.poll_at() - Instant::now();
    assert!(
        wait > HOUR - Duration::from_secs(60) && wait <= HOUR * 2,
        "{wait:?}"
    );
}

#[tokio::test]
async fn a_refusal_for_good_is_not_a_wish_for_time() {
    let (url, known) = concierge(&route(1024)).await;
    refuse(&known, StatusCode::NOT_FOUND, "3600");
    let mut device = open(config(vec![url])).unwrap();
    device.poll().await.unwrap_err();
    device.poll().await.unwrap_err();
    assert_eq!(asked(&known), 2);
}
