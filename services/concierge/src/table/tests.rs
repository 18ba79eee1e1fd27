//! Boot, restart, a failing disk, and evidence from devices.

mod faulty;
mod keys;
mod never_lower;
mod taken;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::route::PrivateKey;

use super::present::PresentError;
use super::*;
use fixture::{entry, signer};

const STALE_AFTER: Duration = Duration::from_secs(5);

fn boot(dir: &Path) -> Table {
    Table::boot(dir, &signer(), STALE_AFTER)
}

fn acme() -> FleetId {
    FleetId::new("acme").unwrap()
}

fn epoch(table: &Table) -> Option<Epoch> {
    table.get(&acme()).map(|entry| entry.epoch)
}

fn file(dir: &Path) -> std::path::PathBuf {
    TableFile::in_dir(dir).path().to_owned()
}

#[tokio::test]
async fn a_restart_without_a_database_serves_what_was_served() {
    let dir = tempfile::tempdir().unwrap();
    let first = boot(dir.path());
    assert!(!first.is_loaded());
    first.serve(vec![entry("acme", 1024, 1)]).await;
    first.serve(vec![entry("acme", 2049, 2)]).await;
    let again = boot(dir.path());
    assert!(again.is_loaded() && again.load().is_stale(STALE_AFTER));
    assert_eq!(again.get(&acme()).as_deref(), Some(&entry("acme", 2049, 2)));
}

#[tokio::test]
async fn a_table_says_under_which_keys_it_was_verified() {
    let dir = tempfile::tempdir().unwrap();
    let keys = |table: &Table| table.load().keys.to_string();
    let (ours, table) = (signer(), boot(dir.path()));
    assert_eq!(keys(&table), ours.seal().keys(), "nothing is in it");
    table.serve(vec![entry("acme", 2049, 2)]).await;
    assert_eq!(keys(&table), ours.seal().keys());
    assert_eq!(keys(&boot(dir.path())), ours.seal().keys());
    let next = Signer::of(PrivateKey::from_seed(&[2; 32]));
    table.follow_keys(&next).await;
    assert_eq!(keys(&table), next.seal().keys());
}

#[tokio::test]
async fn a_restart_does_not_help_a_database_that_forgot() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(vec![entry("acme", 2049, 2)]).await;
    let again = boot(dir.path());
    again.serve(vec![entry("acme", 1024, 9)]).await;
    assert_eq!(epoch(&again), Some(Epoch(2049)));
    assert_eq!(again.alerts(&acme()), [EPOCH_FORGOTTEN]);
    assert_eq!(boot(dir.path()).alerts(&acme()), [EPOCH_FORGOTTEN]);
}

#[tokio::test]
async fn a_file_cut_at_any_byte_is_refused_or_whole() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(vec![entry("acme", 2049, 2)]).await;
    let bytes = std::fs::read(file(dir.path())).unwrap();
    for length in 0..bytes.len() {
        std::fs::write(file(dir.path()), &bytes[..length]).unwrap();
        let table = boot(dir.path());
        assert!(
            !table.is_loaded() && epoch(&table).is_none(),
            "cut at {length}"
        );
    }
}

/// A folder in the file's way makes every save fail, for root too.
#[tokio::test]
async fn a_disk_that_fails_never_brings_an_older_epoch_back() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(vec![entry("acme", 1024, 1)]).await;
    let aside = file(dir.path()).with_extension(format!("{}.new", std::process::id()));
    std::fs::create_dir(&aside).unwrap();
    table.serve(vec![entry("acme", 1024, 2)]).await;
    assert_eq!(
        epoch(&boot(dir.path())),
        Some(Epoch(1024)),
        "the same epoch may stay"
    );
    table.serve(vec![entry("acme", 2049, 3)]).await;
    assert_eq!(epoch(&table), Some(Epoch(2049)));
    assert!(
        !boot(dir.path()).is_loaded(),
        "the older epoch is gone from disk"
    );
    std::fs::remove_dir(&aside).unwrap();
    table.serve(vec![entry("acme", 2049, 3)]).await;
    assert_eq!(
        epoch(&boot(dir.path())),
        Some(Epoch(2049)),
        "saved as soon as it can be"
    );
}

#[tokio::test]
async fn a_disk_that_hangs_keeps_no_device_waiting_and_gets_the_newest_table_in_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(vec![entry("acme", 1024, 1)]).await;
    let hung = table.shared.disk.lock().await.hang();
    for newer in [entry("acme", 2049, 2), entry("acme", 2049, 3)] {
        let serving = table.serve(vec![newer.clone()]);
        let limit = Duration::from_secs(10);
        tokio::time::timeout(limit, serving).await.unwrap();
        assert_eq!(table.get(&acme()).as_deref(), Some(&newer));
    }
    assert_eq!(epoch(&boot(dir.path())), Some(Epoch(1024)));
    drop(hung);
    let newest = entry("acme", 2049, 3);
    table.serve(vec![newest.clone()]).await;
    assert_eq!(boot(dir.path()).get(&acme()).as_deref(), Some(&newest));
}

/// A concierge that starts again with a new key, after the fixtures' one was taken out.
fn boot_under_another_key(dir: &Path) -> Table {
    let signer = Signer::of(PrivateKey::from_seed(&[2; 32]));
    Table::boot(dir, &signer, STALE_AFTER)
}

#[tokio::test]
async fn a_file_of_another_key_raises_no_epoch_above_its_signed_route() {
    let dir = tempfile::tempdir().unwrap();
    let good = entry("other", 2049, 2);
    let mut lie = entry("acme", 2049, 2);
    lie.facts.epoch = Epoch(5 * 1024 + 1);
    boot_under_another_key(dir.path())
        .serve(vec![lie, good.clone()])
        .await;
    let table = boot(dir.path());
    assert_eq!(epoch(&table), None);
    assert_eq!(table.get(&good.fleet_id).as_deref(), Some(&good));
}

#[tokio::test]
async fn the_whole_file_is_written_for_news_and_not_for_a_newer_signature() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    let first = entry("acme", 2049, 2);
    table.serve(vec![first.clone()]).await;
    let before = std::fs::read(file(dir.path())).unwrap();
    let mut renewed = first.claims.clone();
    renewed.issued_at += time::Duration::HOUR;
    let jws = signer().sign(&renewed).unwrap();
    let renewed = FleetEntry::new(first.facts.clone(), jws.into(), renewed);
    table.serve(vec![renewed.clone()]).await;
    assert_eq!(table.get(&acme()).unwrap().jws, renewed.jws);
    assert_eq!(std::fs::read(file(dir.path())).unwrap(), before);
    let mut facts = first.facts;
    facts.display_name = "Acme".into();
    table.serve(vec![fixture::signed(facts)]).await;
    assert_ne!(std::fs::read(file(dir.path())).unwrap(), before);
}

#[tokio::test]
async fn what_a_file_of_another_key_says_gets_no_signature_of_ours() {
    let dir = tempfile::tempdir().unwrap();
    let before = entry("acme", 2049, 2);
    boot(dir.path()).serve(vec![before.clone()]).await;
    let table = boot_under_another_key(dir.path());
    assert!(!table.is_loaded() && epoch(&table).is_none());
    assert_eq!(
        boot(dir.path()).get(&acme()).unwrap().jws,
        before.jws,
        "a key that is trusted changes nothing"
    );
}

#[tokio::test]
async fn evidence_under_a_key_that_was_taken_out_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(vec![entry("acme", 1024, 1)]).await;
    presented(&table, &entry("acme", 2049, 2).jws)
        .await
        .unwrap();
    let table = boot_under_another_key(dir.path());
    assert!(!table.is_loaded() && epoch(&table).is_none());
}

#[tokio::test]
async fn revisions_are_told_only_when_something_changed() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    let mut changes = table.subscribe();
    table.serve(vec![entry("acme", 1024, 1)]).await;
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    table.serve(vec![entry("acme", 1024, 1)]).await;
    assert!(!changes.has_changed().unwrap());
}

async fn presented(table: &Table, token: &str) -> Result<Epoch, PresentError> {
    present(table, &signer(), &acme(), token).await
}

#[tokio::test]
async fn a_signed_route_raises_the_epoch_and_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(vec![entry("acme", 1024, 9)]).await;
    let newer = entry("acme", 2049, 2);
    assert_eq!(presented(&table, &newer.jws).await.unwrap(), Epoch(2049));
    for table in [table, boot(dir.path())] {
        let served = table.get(&acme()).unwrap();
        assert_eq!(served.jws, newer.jws);
        assert_eq!(served.active_hub.as_str(), "west");
        assert_eq!(table.alerts(&acme()), [EPOCH_FORGOTTEN]);
    }
}

#[tokio::test]
async fn a_route_that_is_older_or_equal_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(vec![entry("acme", 2049, 2)]).await;
    let before = table.load().revision;
    for route in [entry("acme", 1024, 9), entry("acme", 2049, 2)] {
        assert_eq!(presented(&table, &route.jws).await.unwrap(), Epoch(2049));
    }
    assert_eq!(table.load().revision, before);
}

#[tokio::test]
async fn evidence_without_our_signature_or_of_another_fleet_moves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    assert!(matches!(
        presented(&table, &entry("acme", 2049, 2).jws).await,
        Err(PresentError::NoFleet(AnswerError::NotLoaded))
    ));
    table.serve(vec![entry("acme", 1024, 1)]).await;
    let forged = entry("acme", 2049, 2).claims;
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let forged = hubshift_domain::route::sign(&forged, &stranger).unwrap();
    assert!(matches!(
        presented(&table, &forged).await,
        Err(PresentError::Invalid(_))
    ));
    let other = entry("other", 2049, 2).jws;
    assert!(matches!(
        presented(&table, &other).await,
        Err(PresentError::OtherFleet(_))
    ));
    assert_eq!(epoch(&table), Some(Epoch(1024)));
}
