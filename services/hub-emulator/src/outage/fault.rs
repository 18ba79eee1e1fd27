//! An order in full: what is wrong, for which calls, how often and how slowly.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallKind, Outage, OutageMode, OutageScope};
use crate::operation::Operation;

/// How late a slow hub answers when nothing is said.
const LATENCY_MS: u64 = 1000;
/// What an order may say. What the hub shows of the one in force can be ordered again, so that
/// `hits` is passed over.
const FIELDS: [&str; 8] = [
    "mode",
    "scope",
    "latencyMs",
    "retryAfter",
    "count",
    "skip",
    "operation",
    "hits",
];
/// What requests are counted as that ask for nothing that there is.
const UNKNOWN: &str = "unknown";

/// What is wrong, for which of the calls and for how many of them.
///
/// Of the calls that match scope and operation the first [`Fault::skip`] pass, the next
/// [`Fault::count`] are hit, and then the fault is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What is wrong, and for whom.
    #[serde(flatten)]
    pub outage: Outage,
    /// How late a slow hub answers, in milliseconds.
    #[serde(default = "latency_ms")]
    pub latency_ms: u64,
    /// When a refused call may come back, in seconds, if that is told: the real hub does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u32>,
    /// How many calls are hit; nothing is all of them, until another order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many calls pass before that.
    #[serde(default)]
    pub skip: u64,
    /// The only operation that is hit, by its name in the counters of requests: `put_twin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

impl Default for Fault {
    fn default() -> Self {
        Outage::default().into()
    }
}

impl From<Outage> for Fault {
    fn from(outage: Outage) -> Self {
        Self {
            outage,
            latency_ms: LATENCY_MS,
            retry_after: None,
            count: None,
            skip: 0,
            operation: None,
        }
    }
}

impl From<OutageMode> for Fault {
    fn from(mode: OutageMode) -> Self {
        let scope = OutageScope::All;
        Outage { mode, scope }.into()
    }
}

impl Fault {
    /// Reads an order, or says what is wrong with it. A word that is misspelt would make another
    /// order of it, for all calls where one was meant.
    pub(crate) fn read(order: Value) -> Result<Self, String> {
        let mut words = order.as_object().into_iter().flat_map(|order| order.keys());
        let unknown = words.find(|word| !FIELDS.contains(&word.as_str())).cloned();
        if let Some(word) = unknown {
            return Err(format!("unknown field {word}, expected one of {FIELDS:?}"));
        }
        let fault: Self = serde_json::from_value(order).map_err(|error| error.to_string())?;
        match &fault.operation {
            Some(name) if name != UNKNOWN && !Operation::NAMES.contains(&name.as_str()) => {
                Err(format!(
                    "unknown operation {name}, expected one of {:?}",
                    Operation::NAMES
                ))
            }
            _ => Ok(fault),
        }
    }

    /// For this operation only.
    pub fn on(self, operation: &str) -> Self {
        let operation = Some(operation.to_owned());
        Self { operation, ..self }
    }

    /// For so many calls only.
    pub fn times(self, count: u64) -> Self {
        let count = Some(count);
        Self { count, ..self }
    }

    /// After so many calls have passed.
    pub fn after(self, skip: u64) -> Self {
        Self { skip, ..self }
    }

    /// So late.
    pub fn late_by(self, latency: Duration) -> Self {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX);
        Self { latency_ms, ..self }
    }

    /// With a 429 that tells when to come back.
    pub fn retry_after(self, seconds: u32) -> Self {
        let retry_after = Some(seconds);
        Self {
            retry_after,
            ..self
        }
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_millis(self.latency_ms)
    }

    /// Whether a call is of the kind that the fault is for, over or not.
    pub(crate) fn is_for(&self, call: CallKind, operation: &str) -> bool {
        let is_operation = self.operation.as_ref().is_none_or(|name| name == operation);
        is_operation && self.outage.on_call(call) != OutageMode::None
    }

    /// Whether it hits the call that comes after so many of its kind.
    pub(crate) fn hits(&self, earlier: u64) -> bool {
        let hit = earlier.checked_sub(self.skip);
        hit.is_some_and(|hit| self.count.is_none_or(|count| hit < count))
    }

    /// Whether connections are not even kept open. A fault for some calls must read them first.
    pub(crate) fn refuses_connections(&self) -> bool {
        let is_for_all = self.count.is_none() && self.skip == 0 && self.operation.is_none();
        is_for_all
            && self.outage.mode == OutageMode::Refuse
            && self.outage.scope == OutageScope::All
    }
}

fn latency_ms() -> u64 {
    LATENCY_MS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_order_is_a_fault_for_all_calls() {
        let fault: Fault = serde_json::from_str(r#"{"mode":"refuse"}"#).unwrap();
        assert_eq!(fault, Fault::from(OutageMode::Refuse));
        assert!(fault.refuses_connections());
        let text = r#"{"mode":"refuse","scope":"service"}"#;
        let fault: Fault = serde_json::from_str(text).unwrap();
        assert!(!fault.refuses_connections());
        assert!(!fault.is_for(CallKind::Device, "send_event"));
        assert!(fault.is_for(CallKind::Read, "get_device"));
    }

    #[test]
    fn a_full_order_reads_back_as_it_was_written() {
        let fault = Fault::from(OutageMode::ResetEarly)
            .on("put_twin")
            .times(1)
            .after(1)
            .late_by(Duration::from_millis(20))
            .retry_after(7);
        let text = serde_json::to_string(&fault).unwrap();
        assert!(text.contains("\"mode\":\"reset-early\""), "{text}");
        assert!(text.contains("\"latencyMs\":20"), "{text}");
        assert!(text.contains("\"retryAfter\":7"), "{text}");
        assert_eq!(serde_json::from_str::<Fault>(&text).unwrap(), fault);
    }

    #[test]
    fn a_misspelt_order_is_none() {
        let read = Fault::read;
        let misspelt = read(json!({"mode": "error", "opeartion": "put_twin"})).unwrap_err();
        assert!(
            misspelt.starts_with("unknown field opeartion"),
            "{misspelt}"
        );
        let unheard = read(json!({"mode": "error", "operation": "put_twins"})).unwrap_err();
        assert!(unheard.contains("patch_twin"), "{unheard}");
        assert!(read(json!({"mode": "sometimes"})).is_err());
        assert!(read(json!(["error"])).is_err());
        let shown = json!({"mode": "error", "operation": "put_twin", "latencyMs": 1, "hits": 3});
        assert_eq!(read(shown).unwrap().operation.as_deref(), Some("put_twin"));
        assert!(read(json!({"mode": "error", "operation": "unknown"})).is_ok());
    }

    #[test]
    fn it_skips_then_hits_then_is_over() {
        let fault = Fault::from(OutageMode::Error).times(2).after(1);
        let hits: Vec<bool> = (0..5).map(|earlier| fault.hits(earlier)).collect();
        assert_eq!(hits, [false, true, true, false, false]);
        assert!(Fault::from(OutageMode::Error).hits(u64::MAX));
    }

    #[test]
    fn an_operation_narrows_it() {
        let fault = Fault::from(OutageMode::Refuse).on("put_twin");
        assert!(fault.is_for(CallKind::Write, "put_twin"));
        assert!(!fault.is_for(CallKind::Write, "patch_twin"));
        assert!(!fault.refuses_connections());
        let nothing = Fault::default();
        assert!(!nothing.is_for(CallKind::Write, "put_twin"));
    }
}
