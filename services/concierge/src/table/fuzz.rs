//! The table for fuzzing: one in memory, and what must be true of every file that can be read.
//! Panics are what a fuzzer looks for.
#![allow(
    clippy::expect_used,
    reason = "a panic here is what the fuzzer is told by"
)]

use std::io::Result;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hubshift_api::pb::concierge::GetEndpointResponse;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{HubId, WaveId};
use hubshift_domain::route::{Cohort, Members, OnUnreachable, WavePlan};
use prost::Message as _;
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::file::{self, Loaded, Storage, TableFile};
use super::{Asked, CanaryEntry, Door, FleetEntry, Snapshot, Table, answer, fixture, trust};
use crate::adoption::Adoption;
use crate::signing::Signer;

pub use super::file::fuzz::Content;

/// What stands before a message of gRPC.
const FRAME_HEAD: usize = 5;

thread_local! {
    static READER: Reader = Reader::new();
}

/// Reads a file with this content; what was read is answered from, written and read again.
pub(crate) fn read_back(content: Content, bytes: &[u8]) {
    READER.with(|reader| reader.read_back(content, bytes));
}

/// A table of three fleets, as it lay on a disk. None of its epochs is below what the corpus has
/// signed routes of.
pub(crate) fn in_memory() -> Table {
    let signer = fixture::signer();
    let entries = vec![
        fixture::entry("acme", 4096, 7),
        fixture::entry("other", 1024, 1),
        paced(),
    ];
    let snapshot = Snapshot::from_disk(entries, OffsetDateTime::UNIX_EPOCH);
    let bytes = file::encode(&snapshot, &signer.seal()).expect("a table can be written");
    let file = TableFile::on(Path::new("fuzz"), Arc::new(Memory(bytes)));
    Table::boot_from(file, &signer, Duration::from_secs(5))
}

/// A fleet with waves, a canary and standbys to walk to.
fn paced() -> FleetEntry {
    let mut facts = fixture::facts("paced", 2049, 3);
    facts.on_unreachable = OnUnreachable::StandbyAfter(Duration::from_secs(900));
    let wave = |name: &str, members| WavePlan {
        name: WaveId::new(name).expect("a slug"),
        members,
        device_count: 20,
    };
    facts.waves = vec![
        wave("pumps", Members::Prefixes(vec!["pump-".to_owned()])),
        wave("tenth", Members::Percent(10)),
    ];
    facts.canary = Some(CanaryEntry {
        id: "0190c6a0-7d3e-7c52-9f11-8f5c9a4b2d10".to_owned(),
        hub: HubId::new("east").expect("a slug"),
        epoch: Epoch(2049),
        cohort: Cohort::Percent(5),
        start_time: OffsetDateTime::UNIX_EPOCH,
        until_time: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(900),
    });
    fixture::signed(facts)
}

/// A disk that holds one file and takes no other.
#[derive(Debug)]
struct Memory(Vec<u8>);

impl Storage for Memory {
    fn read(&self, _: &Path) -> Result<Vec<u8>> {
        Ok(self.0.clone())
    }

    fn create_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn write(&self, _: &Path, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn rename(&self, _: &Path, _: &Path) -> Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &Path) -> Result<()> {
        Ok(())
    }

    fn remove(&self, _: &Path) -> Result<()> {
        Ok(())
    }
}

/// Who reads files, and would answer from them.
struct Reader {
    signer: Signer,
    jws: Arc<str>,
    adoption: Adoption,
}

impl Reader {
    fn new() -> Self {
        Self {
            signer: fixture::signer(),
            jws: fixture::entry("acme", 2049, 2).jws,
            adoption: Adoption::new(),
        }
    }

    fn read_back(&self, content: Content, bytes: &[u8]) {
        let seal = self.signer.seal();
        let file = file::fuzz::file(content, bytes, &self.jws, &seal);
        let Ok(Loaded {
            snapshot,
            is_vouched,
            is_ours,
        }) = file::decode(&file, &seal)
        else {
            return;
        };
        let served = match is_vouched {
            true => snapshot,
            false => trust::trusted(&snapshot, is_ours, &self.signer, OffsetDateTime::UNIX_EPOCH),
        };
        served.encode();
        for entry in served.fleets.values() {
            self.ask(&served, entry);
        }
        if !is_of_our_time(&served) {
            return;
        }
        let written = file::encode(&served, &seal).expect("what was read can't be written");
        let again = file::decode(&written, &seal).expect("what was written can't be read");
        assert!(again.is_vouched, "a file of our own is not vouched for");
        let again = again.snapshot;
        assert_eq!(again.fleets, served.fleets);
        assert_eq!(again.as_of, served.as_of);
        assert_eq!(again.is_loaded, served.is_loaded);
    }

    /// The answers to nobody in particular and to a device, as both ways have them.
    fn ask(&self, snapshot: &Snapshot, entry: &FleetEntry) {
        for device in ["", "pump-1", "device-50"] {
            let asked = Asked {
                door: Door::Http,
                fleet: entry.fleet_id.as_str(),
                device,
                known_epoch: Ok(entry.epoch.0),
                attached_hub: entry.active_hub.as_str(),
                last_connect_error: "",
            };
            let answer = answer(snapshot, true, &self.adoption, &asked)
                .expect("a fleet of the table is not answered for");
            let message = answer.message();
            let frame = answer.frame();
            let framed = frame.get(FRAME_HEAD..).unwrap_or_default();
            assert_eq!(GetEndpointResponse::decode(framed).as_ref(), Ok(&message));
            let json: Value = serde_json::from_slice(&answer.json()).expect("no JSON");
            assert_eq!(json["route"], *message.route);
            assert_eq!(
                json["connect_after_ms"].as_u64(),
                message.connect_after_ms.map(u64::from)
            );
            assert!(!answer.etag().is_empty() && !answer.cache_control().is_empty());
        }
    }
}

/// Whether all of its times are of years that a file can have. Version 1 has others, which no clock
/// ever showed.
fn is_of_our_time(snapshot: &Snapshot) -> bool {
    let is_ours = |time: OffsetDateTime| time.checked_to_offset(UtcOffset::UTC).is_some();
    let mut entries = snapshot.fleets.values();
    snapshot.as_of.format(&Rfc3339).is_ok()
        && entries.all(|entry| {
            let debts = entry.debts.iter().map(|debt| debt.create_time);
            let times = [entry.epoch_opened, entry.create_time, entry.update_time];
            times.into_iter().chain(debts).all(is_ours)
        })
}
