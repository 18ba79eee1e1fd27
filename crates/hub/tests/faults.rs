//! The connector against a hub that is down, hostile or somebody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, Instant};

use common::{connect, emulator, get, key, pair, rewrite, sas, settings, write};
use hubshift_emulator::{Emulator, Options, OutageMode, OutageScope};
use hubshift_hub::{
    AzureHub, AzureSettings, Cause, EtagPair, Hub as _, HubSetupError, Login, Outcome, Rejection,
    Secret,
};

fn policy(key: Secret) -> Login {
    Login::Sas {
        policy: "iothubowner".to_owned(),
        key,
    }
}

#[tokio::test]
async fn a_hub_that_hangs_leaves_it_unknown_within_the_deadline() {
    let (emulator, _) = pair().await;
    let call_deadline = Duration::from_millis(1500);
    let hub = AzureHub::new(AzureSettings {
        call_deadline,
        ..settings(&emulator)
    })
    .unwrap();
    assert_eq!(hub.call_deadline(), call_deadline);
    emulator.set_outage(OutageMode::Hang);
    let start = Instant::now();
    assert_eq!(
        hub.create(&write("d", sas('B'))).await,
        Outcome::Unknown(Cause::Timeout)
    );
    assert!(
        start.elapsed() < Duration::from_secs(4),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(hub.get("d").await, Outcome::Unknown(Cause::Timeout));
}

#[tokio::test]
async fn a_hub_that_refuses_was_certainly_not_reached() {
    let emulator = emulator().await;
    emulator.set_outage(OutageMode::Refuse);
    let outcome = connect(&emulator).create(&write("d", sas('B'))).await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
        "{outcome:?}"
    );
    emulator.set_outage(OutageMode::None);
    assert_eq!(connect(&emulator).get("d").await, Outcome::Done(None));
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let emulator = emulator().await;
    let hub = connect(&emulator);
    emulator.stop().await;
    let outcome = hub.delete("d", "MA==").await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unreachable(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_hub_that_is_not_available_said_so() {
    let (emulator, hub) = pair().await;
    emulator.set_outage(OutageMode::Unavailable);
    let outcome = hub.create(&write("d", sas('B'))).await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unavailable(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_connection_that_breaks_after_sending_leaves_it_unknown() {
    let (emulator, hub) = pair().await;
    // Calls of services are dropped after they were read; the connection itself is let in.
    emulator.set_outage_of(OutageMode::Refuse, OutageScope::Service);
    let outcome = hub.create(&write("d", sas('B'))).await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Connection(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_hub_that_dies_between_two_writes_leaves_it_unknown() {
    let (emulator, hub) = pair().await;
    let old = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    let etags = EtagPair {
        identity: Some(old.identity_etag.clone()),
        twin: Some(old.twin_etag.clone()),
    };
    let mut next = rewrite(&old);
    next.identity.enabled = false;
    let puts = emulator.requests("put_device");
    let update = hub.update(&next, &etags);
    let outage = async {
        while emulator.requests("put_device") == puts {
            tokio::task::yield_now().await;
        }
        emulator.set_outage(OutageMode::Unavailable);
    };
    let (outcome, ()) = tokio::join!(update, outage);
    emulator.set_outage(OutageMode::None);
    // The outage may come before the hub carried the first write out, or after all was done.
    let now = get(&hub, "d").await;
    match outcome {
        Outcome::Done(done) => assert_eq!(done, now),
        Outcome::Rejected(_) => assert_eq!(now, old),
        Outcome::Unknown(_) => assert!(!now.identity.enabled),
    }
}

#[tokio::test]
async fn a_wrong_key_is_unauthorized() {
    let emulator = emulator().await;
    let hub = AzureHub::new(AzureSettings {
        login: policy(key('B')),
        ..settings(&emulator)
    })
    .unwrap();
    let outcome = hub.create(&write("d", sas('B'))).await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_policy_that_allows_less_is_unauthorized() {
    let options = Options::local("registryReadWrite", &key('A'));
    let emulator = Emulator::start(options).await.unwrap();
    let outcome = connect(&emulator).list(None, 10).await;
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Unauthorized(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_not_trusted() {
    let (ours, other) = (emulator().await, emulator().await);
    for ca_pem in [None, Some(other.ca_pem.clone())] {
        let hub = AzureHub::new(AzureSettings {
            ca_pem,
            ..settings(&ours)
        })
        .unwrap();
        let outcome = hub.get("d").await;
        assert!(
            matches!(outcome, Outcome::Rejected(Rejection::Untrusted(_))),
            "{outcome:?}"
        );
    }
    assert_eq!(ours.requests("get_device"), 0);
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_trusted() {
    let options = Options {
        hostname: Some("hub.test".to_owned()),
        ..common::options()
    };
    let emulator = Emulator::start(options).await.unwrap();
    let port = emulator.addr.port();
    let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let hub = AzureHub::new(AzureSettings {
        host,
        ..settings(&emulator)
    })
    .unwrap();
    let forward = async {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .unwrap();
        // Ends when either side does; how does not matter.
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    };
    let (outcome, ()) = tokio::join!(hub.get("d"), forward);
    assert!(
        matches!(outcome, Outcome::Rejected(Rejection::Untrusted(_))),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn settings_that_cannot_work_are_told_before_any_call() {
    let emulator = emulator().await;
    let with = |change: fn(&mut AzureSettings)| {
        let mut settings = settings(&emulator);
        change(&mut settings);
        AzureHub::new(settings).unwrap_err()
    };
    let url = with(|settings| settings.host = "https://hub".to_owned());
    assert!(matches!(url, HubSetupError::Host));
    let key = with(|settings| settings.login = policy(Secret::new("canary!")));
    assert!(matches!(key, HubSetupError::Key) && !format!("{key:?} {key}").contains("canary"));
    let ca = with(|settings| settings.ca_pem = Some("no pem".to_owned()));
    assert!(matches!(ca, HubSetupError::CertificateAuthority));
    let deadline = with(|settings| settings.call_deadline = Duration::ZERO);
    assert!(matches!(deadline, HubSetupError::Deadline));
}

#[tokio::test]
async fn nothing_shows_a_key() {
    let (emulator, hub) = pair().await;
    let keys = ['A', 'B', 'Z'].map(|letter| key(letter).expose().to_owned());
    let settings = settings(&emulator);
    let device = write("d", sas('B'));
    let mut shown = vec![
        format!("{hub:?}"),
        format!("{settings:?}"),
        format!("{device:?}"),
    ];
    shown.push(format!("{:?}", hub.create(&device).await));
    shown.push(format!("{:?}", hub.get("d").await));
    shown.push(format!("{:?}", hub.create(&device).await));
    emulator.set_outage(OutageMode::Unavailable);
    shown.push(format!("{:?}", hub.create(&device).await));
    emulator.set_outage(OutageMode::Refuse);
    shown.push(format!("{:?}", connect(&emulator).create(&device).await));
    for text in shown {
        assert!(
            !keys.iter().any(|key| text.contains(key.as_str())),
            "{text}"
        );
    }
}
