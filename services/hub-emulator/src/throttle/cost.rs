//! What a call costs: one, but for those that carry several devices.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::operation::Operation;

/// The most entries that the hub takes at once. A call with more is refused as a whole, and costs
/// one like every other.
const MAX_ENTRIES: usize = 100;

/// The bodies that carry devices, counted and not kept.
#[derive(Deserialize)]
struct Regeneration {
    #[serde(default)]
    devices: Vec<IgnoredAny>,
}

/// How many calls this one counts as.
pub(crate) fn of(operation: &Operation, body: &[u8]) -> u32 {
    let entries = match operation {
        Operation::BulkDevices => {
            serde_json::from_slice(body).map(|list: Vec<IgnoredAny>| list.len())
        }
        Operation::RegenerateKeys => {
            serde_json::from_slice(body).map(|body: Regeneration| body.devices.len())
        }
        _ => return 1,
    };
    match entries {
        Ok(count @ 1..=MAX_ENTRIES) => u32::try_from(count).unwrap_or(1),
        // No devices, too many, or no list: the hub says so.
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bulk_call_counts_its_entries() {
        let bulk = |body: &str| of(&Operation::BulkDevices, body.as_bytes());
        assert_eq!(bulk(r#"[{"id":"a"},{"id":"b","tags":{"x":[1,2]}},{}]"#), 3);
        assert_eq!(bulk("[]"), 1);
        assert_eq!(bulk("{}"), 1);
        assert_eq!(bulk("[{"), 1);
        let many = format!("[{}]", vec!["{}"; 101].join(","));
        assert_eq!(bulk(&many), 1, "refused as a whole");
    }

    #[test]
    fn key_regeneration_counts_its_devices_and_others_count_once() {
        let body = br#"{"policyKey":"primaryKey","devices":[{"id":"a"},{"id":"b"}]}"#;
        assert_eq!(of(&Operation::RegenerateKeys, body), 2);
        assert_eq!(of(&Operation::ListDevices, b""), 1);
        assert_eq!(of(&Operation::Query, br#"[1,2,3]"#), 1);
    }
}
