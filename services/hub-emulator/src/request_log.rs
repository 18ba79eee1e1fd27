//! Which requests arrived, and how each ended: counters, and a log of the last ten thousand.
//!
//! Nothing of it is durable. An entry never has a body, a token or a key in it, and of a path only
//! the ids that it names, if they could be ids: who is not let in is logged too, and may neither
//! fill the memory nor write what it likes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hubshift_azure::{device_id, wire_time};
use serde::Serialize;
use time::OffsetDateTime;

use crate::operation::Operation;
use crate::outage::{CallKind, OutageMode};

/// How many entries are kept.
const KEPT: usize = 10_000;

/// Method and operation of a request.
pub(crate) type RequestKind = (String, &'static str);

/// A request that arrived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedRequest {
    /// Counts all requests, from 1.
    pub sequence: u64,
    /// When it arrived.
    pub time: String,
    /// The HTTP method; `other` if it is none of the usual ones.
    pub method: String,
    /// The operation: `get_device`, `put_twin`, `query`; `unknown` if there is none.
    pub operation: &'static str,
    /// `device`, `read` or `write`: who calls, and whether the call changes anything.
    pub kind: &'static str,
    /// The device that the path names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// The module that the path names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The ordered fault that hit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<OutageMode>,
    /// The status that it was answered with; nothing while it is under way and if it never was.
    pub status: Option<u16>,
}

/// All that is known of requests.
#[derive(Default)]
pub(crate) struct RequestLog(Mutex<Known>);

#[derive(Default)]
struct Known {
    counts: BTreeMap<RequestKind, u64>,
    writes: u64,
    arrived: u64,
    entries: VecDeque<LoggedRequest>,
}

impl RequestLog {
    /// Notes that a request arrived, and returns its number.
    pub(crate) fn arrived(
        &self,
        method: &str,
        operation: Option<&Operation>,
        fault: OutageMode,
    ) -> u64 {
        let entry = entry(method, operation, fault);
        self.known().add(entry)
    }

    /// Notes how a request was answered.
    pub(crate) fn answered(&self, sequence: u64, status: u16) {
        let mut known = self.known();
        if let Some(entry) = known.entry_mut(sequence) {
            entry.status = Some(status);
        }
    }

    /// How many requests of each kind arrived, those that a fault swallowed too.
    pub(crate) fn counts(&self) -> BTreeMap<RequestKind, u64> {
        self.known().counts.clone()
    }

    /// How many requests arrived that would change something.
    pub(crate) fn writes(&self) -> u64 {
        self.known().writes
    }

    /// The entries after this number that are still there, oldest first.
    pub(crate) fn after(&self, sequence: u64) -> Vec<LoggedRequest> {
        let known = self.known();
        let is_later = |entry: &&LoggedRequest| entry.sequence > sequence;
        known.entries.iter().filter(is_later).cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, mut entry: LoggedRequest) -> u64 {
        self.arrived += 1;
        entry.sequence = self.arrived;
        let kind = (entry.method.clone(), entry.operation);
        *self.counts.entry(kind).or_default() += 1;
        if entry.kind == CallKind::Write.as_str() {
            self.writes += 1;
        }
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
        self.arrived
    }

    fn entry_mut(&mut self, sequence: u64) -> Option<&mut LoggedRequest> {
        let first = self.entries.front()?.sequence;
        let index = usize::try_from(sequence.checked_sub(first)?).ok()?;
        self.entries.get_mut(index)
    }
}

/// An entry that has no number yet.
fn entry(method: &str, operation: Option<&Operation>, fault: OutageMode) -> LoggedRequest {
    let (device, module) = operation.map_or((None, None), target);
    LoggedRequest {
        sequence: 0,
        time: wire_time::write(OffsetDateTime::now_utc()),
        method: known(method).to_owned(),
        operation: operation.map_or("unknown", Operation::name),
        kind: operation.map_or(CallKind::Read, Operation::kind).as_str(),
        device: device.and_then(legal),
        module: module.and_then(legal),
        fault: (fault != OutageMode::None).then_some(fault),
        status: None,
    }
}

/// The method, if it is one of HTTP's own: there are endless others.
fn known(method: &str) -> &str {
    const METHODS: [&str; 9] = [
        "GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "CONNECT",
    ];
    if METHODS.contains(&method) {
        method
    } else {
        "other"
    }
}

/// The text, if it is an id. Those of modules are made as those of devices.
fn legal(id: &str) -> Option<String> {
    device_id::check(id).is_ok().then(|| id.to_owned())
}

/// The device and the module that a path names.
fn target(operation: &Operation) -> (Option<&str>, Option<&str>) {
    match operation {
        Operation::GetDevice(device)
        | Operation::PutDevice(device)
        | Operation::DeleteDevice(device)
        | Operation::GetTwin(device)
        | Operation::PatchTwin(device)
        | Operation::PutTwin(device)
        | Operation::InvokeMethod(device)
        | Operation::ListModules(device)
        | Operation::PurgeCommands(device)
        | Operation::ApplyConfiguration(device)
        | Operation::SendEvent(device) => (Some(device), None),
        Operation::GetModule(device, module)
        | Operation::PutModule(device, module)
        | Operation::DeleteModule(device, module)
        | Operation::GetModuleTwin(device, module)
        | Operation::PatchModuleTwin(device, module)
        | Operation::PutModuleTwin(device, module)
        | Operation::InvokeModuleMethod(device, module) => (Some(device), Some(module)),
        Operation::ListDevices
        | Operation::BulkDevices
        | Operation::RegenerateKeys
        | Operation::Query
        | Operation::ListConfigurations
        | Operation::GetConfiguration(_)
        | Operation::PutConfiguration(_)
        | Operation::DeleteConfiguration(_)
        | Operation::TestQueries
        | Operation::CreateJob
        | Operation::ListJobs
        | Operation::GetJob(_)
        | Operation::CancelJob(_)
        | Operation::PutScheduledJob(_)
        | Operation::GetScheduledJob(_)
        | Operation::CancelScheduledJob(_)
        | Operation::QueryScheduledJobs
        | Operation::DeviceStatistics
        | Operation::ServiceStatistics => (None, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_gets_its_status_when_the_answer_is_there() {
        let log = RequestLog::default();
        let put = Operation::PutModule("d".to_owned(), "m".to_owned());
        let first = log.arrived("PUT", Some(&put), OutageMode::None);
        let second = log.arrived("BREW", None, OutageMode::Hang);
        log.answered(first, 200);
        let entries = log.after(0);
        assert_eq!(entries.len(), 2);
        assert_eq!(entries[0].status, Some(200));
        assert_eq!(entries[0].device.as_deref(), Some("d"));
        assert_eq!(entries[0].module.as_deref(), Some("m"));
        assert_eq!((entries[0].kind, entries[0].fault), ("write", None));
        assert_eq!((entries[1].operation, entries[1].status), ("unknown", None));
        assert_eq!(entries[1].fault, Some(OutageMode::Hang));
        assert_eq!(log.after(first)[0].sequence, second);
        assert_eq!(log.writes(), 1);
        assert_eq!(log.counts()[&("PUT".to_owned(), "put_module")], 1);
    }

    #[test]
    fn a_stranger_neither_fills_the_log_nor_writes_in_it() {
        let log = RequestLog::default();
        for n in 0..100 {
            log.arrived(&format!("BREW{n}"), None, OutageMode::None);
        }
        assert_eq!(log.counts().len(), 1);
        assert_eq!(log.counts()[&("other".to_owned(), "unknown")], 100);
        let long = Operation::GetDevice("x".repeat(60_000));
        let words = Operation::GetModule("d".to_owned(), "SharedAccessKey=a b".to_owned());
        let (long, words) = (
            log.arrived("GET", Some(&long), OutageMode::None),
            log.arrived("GET", Some(&words), OutageMode::None),
        );
        let entries = log.after(long - 1);
        assert_eq!((entries.len(), words), (2, long + 1));
        assert_eq!((&entries[0].device, &entries[0].module), (&None, &None));
        assert_eq!(entries[1].device.as_deref(), Some("d"));
        assert_eq!(entries[1].module, None);
    }

    #[test]
    fn the_oldest_entries_go_and_late_answers_find_the_right_one() {
        let log = RequestLog::default();
        for _ in 0..KEPT + 2 {
            log.arrived("GET", Some(&Operation::ListDevices), OutageMode::None);
        }
        log.answered(1, 500);
        log.answered(3, 200);
        let entries = log.after(0);
        assert_eq!(entries.len(), KEPT);
        assert_eq!((entries[0].sequence, entries[0].status), (3, Some(200)));
        assert_eq!(entries[1].status, None);
        let kind = ("GET".to_owned(), "list_devices");
        assert_eq!(log.counts()[&kind], KEPT as u64 + 2);
    }
}
