//! No epoch that was served is ever followed by a lower one, whatever becomes of the disk, the
//! process and the database; and every question is answered or clearly refused.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use hubshift_api::fault;
use hubshift_api::pb::concierge::GetEndpointResponse;
use tonic::Status;

use super::faulty::{Full, Killed};
use super::*;
use crate::table::file::Storage;

const OLD: u64 = 1024;
const NEW: u64 = 2049;

fn three(epoch: u64) -> Vec<FleetEntry> {
    ["acme", "other", "third"]
        .map(|fleet| entry(fleet, epoch, 1))
        .into()
}

fn boot_on(dir: &Path, storage: &Arc<impl Storage + 'static>, signer: &Signer) -> Table {
    let file = TableFile::on(dir, storage.clone());
    Table::boot_from(file, signer, STALE_AFTER)
}

fn asked(table: &Table) -> Result<GetEndpointResponse, Status> {
    fixture::ask(table, "d-1")
}

fn told(table: &Table) -> Epoch {
    let answer = asked(table).unwrap();
    signer().verify(&answer.route).unwrap().epoch
}

#[tokio::test]
async fn a_file_with_any_byte_altered_is_served_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(three(NEW)).await;
    let whole = boot(dir.path()).load().fleets.clone();
    let (bytes, signer) = (std::fs::read(file(dir.path())).unwrap(), signer());
    for at in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0xff;
        std::fs::write(file(dir.path()), &altered).unwrap();
        let table = Table::boot(dir.path(), &signer, STALE_AFTER);
        if table.is_loaded() {
            assert_eq!(table.load().fleets, whole, "altered at {at}");
        } else {
            assert_eq!(fault::reason(&asked(&table).unwrap_err()), "NOT_READY");
        }
    }
}

#[tokio::test]
async fn a_disk_that_is_full_after_any_byte_never_brings_a_lower_epoch_back() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(three(OLD)).await;
    let before = std::fs::read(file(dir.path())).unwrap();
    let (newer, signer) = (three(NEW), signer());
    let full = Arc::new(Full {
        after: AtomicUsize::new(usize::MAX),
    });
    for after in 0..before.len() {
        std::fs::write(file(dir.path()), &before).unwrap();
        let table = boot_on(dir.path(), &full, &signer);
        full.after.store(after, Ordering::Relaxed);
        table.serve(newer.clone()).await;
        assert_eq!(epoch(&table), Some(Epoch(NEW)), "full after {after}");
        let again = epoch(&Table::boot(dir.path(), &signer, STALE_AFTER));
        assert!(
            again.is_none_or(|epoch| epoch.0 >= NEW),
            "full after {after}"
        );
        full.after.store(usize::MAX, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_disk_that_is_full_keeps_the_file_while_no_epoch_rises() {
    let dir = tempfile::tempdir().unwrap();
    let full = Arc::new(Full {
        after: AtomicUsize::new(usize::MAX),
    });
    let table = boot_on(dir.path(), &full, &signer());
    table.serve(three(OLD)).await;
    full.after.store(10, Ordering::Relaxed);
    table.serve(vec![entry("acme", OLD, 2)]).await;
    assert_eq!(epoch(&boot(dir.path())), Some(Epoch(OLD)));
}

#[tokio::test]
async fn a_process_that_is_killed_at_any_step_of_a_save_comes_back_whole() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(three(OLD)).await;
    let before = std::fs::read(file(dir.path())).unwrap();
    let (mut olds, mut news) = (0, 0);
    // The folder, half a file, the whole of it, its name, what the folder knows.
    for after in 0..6 {
        std::fs::write(file(dir.path()), &before).unwrap();
        let killed = Arc::new(Killed {
            after: AtomicUsize::new(after),
        });
        // Whoever dies in here has not served the new epoch: the disk comes first.
        boot_on(dir.path(), &killed, &signer())
            .serve(three(NEW))
            .await;
        let again = boot(dir.path());
        let epochs: Vec<u64> = again.load().fleets.values().map(|e| e.epoch.0).collect();
        assert_eq!(epochs.len(), 3, "killed after {after}");
        match epochs[0] {
            OLD => olds += 1,
            NEW => news += 1,
            other => panic!("{other}"),
        }
        assert!(epochs.iter().all(|epoch| *epoch == epochs[0]), "half of it");
    }
    assert!(olds >= 2 && news >= 2, "{olds} {news}");
}

/// The database was last heard of so long ago.
async fn age(table: &Table, minutes: u64) {
    let age = Duration::from_secs(60 * minutes);
    let change = |held: &Snapshot| Snapshot {
        refreshed: Instant::now().checked_sub(age),
        ..held.clone()
    };
    table.update(change).await;
}

#[tokio::test]
async fn an_hour_without_a_database_is_answered_like_its_first_minute() {
    let dir = tempfile::tempdir().unwrap();
    let table = boot(dir.path());
    table.serve(three(NEW)).await;
    let first = asked(&table).unwrap();
    assert!(!first.stale);
    for minutes in 1..=60 {
        age(&table, minutes).await;
        for table in [table.clone(), boot(dir.path())] {
            let answer = asked(&table).unwrap();
            assert!(answer.stale, "{minutes}");
            assert_eq!(answer.as_of, first.as_of);
            assert_eq!(answer.route, first.route);
            assert_eq!(answer.connect_after_ms, first.connect_after_ms);
        }
    }
    table.serve(three(NEW)).await;
    assert!(!asked(&table).unwrap().stale);
}

#[tokio::test]
async fn a_database_that_forgot_is_outlived_by_every_restart() {
    let dir = tempfile::tempdir().unwrap();
    boot(dir.path()).serve(three(NEW)).await;
    for _ in 0..3 {
        let table = boot(dir.path());
        assert_eq!(epoch(&table), Some(Epoch(NEW)));
        table.serve(three(OLD)).await;
        assert_eq!(told(&table), Epoch(NEW));
        table.serve(Vec::new()).await;
        assert_eq!(told(&table), Epoch(NEW));
    }
}
