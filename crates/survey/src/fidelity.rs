//! The fidelity report: what a move between hubs does not carry over, whoever does it.

use serde::Serialize;

use crate::hub::HubFacts;
use crate::seen::Side;

/// One kind of thing that stays behind or changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Loss {
    /// Stable name, `CLOUD_TO_DEVICE_MESSAGES`.
    pub reason: &'static str,
    /// How many devices, or things, it is about; 0 where it cannot be counted from outside.
    pub count: u64,
    /// What happens to it.
    pub what: &'static str,
    /// What a person can do about it.
    pub remedy: &'static str,
}

/// Everything of a hub that does not carry over. What there is nothing of is left out, unless it
/// cannot be counted from outside.
pub fn losses(side: &Side, facts: &HubFacts) -> Vec<Loss> {
    let count = |is: fn(&crate::Seen) -> bool| side.values().filter(|seen| is(seen)).count() as u64;
    let waiting: u64 = side.values().map(|seen| seen.waiting_messages).sum();
    let counted = [
        loss(
            "CA_CERTIFICATES",
            count(|seen| seen.is_authority()),
            "devices prove themselves by a certificate authority; the authorities are not in the registry",
            "upload and verify each certificate authority at the other hub by hand, before a move",
        ),
        loss(
            "CLOUD_TO_DEVICE_MESSAGES",
            waiting,
            "messages that wait for devices stay at the old hub",
            "send them again from the back end, or let them expire",
        ),
        loss(
            "REPORTED_PROPERTIES",
            count(|seen| seen.reports),
            "reported properties belong to the device and are not copied",
            "let devices report in full when they connect; backups keep the last ones",
        ),
        loss(
            "EDGE_SCOPES",
            count(|seen| seen.iot_edge),
            "every hub makes the scopes of its Edge devices itself; children are attached anew",
            "nothing: parents are written first and scopes translated by the parent's id",
        ),
        loss(
            "JOB_HISTORY",
            facts.jobs,
            "the history of jobs stays at the old hub",
            "keep what you need of it elsewhere",
        ),
    ];
    let always = [
        loss(
            "GENERATION_AND_VERSIONS",
            side.len() as u64,
            "generation ids, etags, $version and all times are each hub's own",
            "let devices read their whole twin when they connect; never compare versions across hubs",
        ),
        loss(
            "HUB_SETTINGS",
            0,
            "routes, endpoints, consumer groups, shared access policies, file upload and diagnostic settings are resources of the hub",
            "keep them in your infrastructure code and deploy them to both hubs",
        ),
        loss(
            "CONNECTION_STRINGS",
            0,
            "a device's connection string and its tokens name the hub's host",
            "let devices ask the concierge, and sign for the host that it names",
        ),
    ];
    let counted = counted.into_iter().filter(|loss| loss.count > 0);
    counted.chain(always).collect()
}

fn loss(reason: &'static str, count: u64, what: &'static str, remedy: &'static str) -> Loss {
    Loss {
        reason,
        count,
        what,
        remedy,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::seen::sample;

    #[test]
    fn what_there_is_nothing_of_is_not_named() {
        let side: Side = [
            json!({"deviceId": "a", "authenticationType": "certificateAuthority"}),
            json!({"deviceId": "b", "cloudToDeviceMessageCount": 3}),
            json!({"deviceId": "c", "properties": {"reported": {"x": 1}}}),
        ]
        .into_iter()
        .map(sample)
        .collect();
        let found = losses(&side, &HubFacts::default());
        let count = |reason: &str| {
            let loss = found.iter().find(|loss| loss.reason == reason);
            loss.map(|loss| loss.count)
        };
        assert_eq!(count("CA_CERTIFICATES"), Some(1));
        assert_eq!(count("CLOUD_TO_DEVICE_MESSAGES"), Some(3));
        assert_eq!(count("REPORTED_PROPERTIES"), Some(1));
        assert_eq!(count("EDGE_SCOPES"), None);
        assert_eq!(count("HUB_SETTINGS"), Some(0));
    }
}
