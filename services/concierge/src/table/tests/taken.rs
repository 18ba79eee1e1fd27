//! Fleets that only another concierge knows.

use hubshift_domain::hub_state::HubState;

use super::*;

fn told(fleet: FleetId, route: &str, poll_ms: Option<u64>) -> Told {
    Told {
        fleet,
        route: route.to_owned(),
        poll_after: poll_ms.map(Duration::from_millis),
    }
}

async fn taken(table: &Table, route: &str, poll_ms: Option<u64>) -> Result<(), PresentError> {
    let told = vec![told(acme(), route, poll_ms)];
    let mut refused = take(table, &signer(), told).await;
    refused.pop().map_or(Ok(()), |(_, error)| Err(error))
}

/// Ten thousand of them would write ten thousand files of fifteen megabytes else.
#[tokio::test]
async fn fleets_that_are_told_together_are_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    taken(&table, &entry("acme", 1024, 1).jws, None)
        .await
        .unwrap();
    let before = table.load().revision;
    let news = ["acme", "other", "third"].map(|fleet| {
        let fleet = entry(fleet, 2049, 2);
        told(fleet.fleet_id.clone(), &fleet.jws, None)
    });
    let older = told(acme(), &entry("acme", 1024, 2).jws, None);
    let all = news.into_iter().chain([older]).collect();
    assert!(take(&table, &signer(), all).await.is_empty());
    assert_eq!(table.load().fleets.len(), 3);
    assert_eq!(epoch(&table), Some(Epoch(2049)));
    assert_eq!(table.load().revision, before + 1);
}

#[tokio::test]
async fn a_fleet_of_another_concierge_is_served_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let told = entry("acme", 2049, 2);
    taken(&boot(dir.path()), &told.jws, Some(30_000))
        .await
        .unwrap();
    let table = boot(dir.path());
    let served = table.get(&acme()).unwrap();
    assert_eq!((&served.jws, &served.claims), (&told.jws, &told.claims));
    assert_eq!(served.active_hub.as_str(), "west");
    assert_eq!(served.poll_after, Duration::from_secs(30));
    let [west] = served.hubs.as_slice() else {
        panic!("{:?}", served.hubs);
    };
    assert_eq!((west.index, west.state), (1, HubState::Active));
    assert_eq!(west.host, "west.example.net");
    assert!(!table.is_loaded(), "one fleet is no table");
}

#[tokio::test]
async fn standbys_of_the_signed_list_get_indices_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut facts = fixture::facts("acme", 2049, 2);
    facts.on_unreachable = "standby_after(900s)".parse().unwrap();
    let claims =
        hubshift_domain::route::claims(&facts.route_inputs(), OffsetDateTime::UNIX_EPOCH).unwrap();
    let route = signer().sign(&claims).unwrap();
    let table = boot(dir.path());
    taken(&table, &route, None).await.unwrap();
    let served = table.get(&acme()).unwrap();
    let hubs: Vec<_> = served
        .hubs
        .iter()
        .map(|hub| (hub.hub_id.as_str(), hub.index, hub.state))
        .collect();
    let (ready, active) = (HubState::Ready, HubState::Active);
    assert_eq!(hubs, [("east", 0, ready), ("west", 1, active)]);
}

#[tokio::test]
async fn advice_counts_within_bounds() {
    for (said, poll) in [(Some(0), 1), (Some(u64::MAX), 3600), (None, 60)] {
        let dir = tempfile::tempdir().unwrap();
        let table = boot(dir.path());
        let route = entry("acme", 2049, 2).jws;
        taken(&table, &route, said).await.unwrap();
        let served = table.get(&acme()).unwrap();
        assert_eq!(served.poll_after, Duration::from_secs(poll));
    }
}

#[tokio::test]
async fn nothing_is_taken_without_our_signature_or_once_the_database_said_what_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let forged = hubshift_domain::route::sign(&entry("acme", 2049, 2).claims, &stranger).unwrap();
    for route in [forged.as_str(), &entry("other", 2049, 2).jws, "a.b.c"] {
        assert!(taken(&table, route, None).await.is_err());
    }
    assert!(table.load().fleets.is_empty());
    table.serve(vec![entry("other", 1024, 1)]).await;
    let refused = taken(&table, &entry("acme", 2049, 2).jws, None).await;
    assert!(matches!(
        refused,
        Err(PresentError::NoFleet(AnswerError::FleetNotFound(_)))
    ));
}

#[tokio::test]
async fn the_database_takes_over_and_never_goes_below() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    taken(&table, &entry("acme", 2049, 2).jws, None)
        .await
        .unwrap();
    table.serve(vec![entry("acme", 1024, 1)]).await;
    assert_eq!(epoch(&table), Some(Epoch(2049)));
    assert_eq!(table.alerts(&acme()), [EPOCH_FORGOTTEN]);
    let known = entry("acme", 2049, 2);
    table.serve(vec![known.clone()]).await;
    assert_eq!(*table.get(&acme()).unwrap(), known);
    assert!(table.is_loaded() && table.alerts(&acme()).is_empty());
}

#[tokio::test]
async fn a_taken_fleet_is_never_signed_anew() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    taken(&table, &entry("acme", 2049, 2).jws, None)
        .await
        .unwrap();
    let next = Signer::of(PrivateKey::from_seed(&[2; 32]));
    table.follow_keys(&next).await;
    assert!(table.get(&acme()).is_none());
}
