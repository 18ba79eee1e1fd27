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

/// How many there are of what does not carry over; nothing where that is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Devices and modules.
    pub records: u64,
    /// Devices that prove themselves by a certificate authority.
    pub authorities: Option<u64>,
    /// Messages that wait for devices.
    pub waiting_messages: Option<u64>,
    /// Devices with reported properties.
    pub reporting: Option<u64>,
    /// Edge devices.
    pub edges: Option<u64>,
    /// Jobs that the hub remembers.
    pub jobs: Option<u64>,
}

/// Everything of a hub that does not carry over.
pub fn losses(side: &Side, facts: &HubFacts) -> Vec<Loss> {
    let count = |is: fn(&crate::Seen) -> bool| side.values().filter(|seen| is(seen)).count() as u64;
    losses_of(&Counts {
        records: side.len() as u64,
        authorities: Some(count(|seen| seen.is_authority())),
        waiting_messages: Some(side.values().map(|seen| seen.waiting_messages).sum()),
        reporting: Some(count(|seen| seen.reports)),
        edges: Some(count(|seen| seen.iot_edge)),
        jobs: Some(facts.jobs),
    })
}

/// Everything that does not carry over of a hub that holds so much. What there is nothing of is
/// left out; what cannot be counted is named.
pub fn losses_of(counts: &Counts) -> Vec<Loss> {
    let some = [
        counted(
            "CA_CERTIFICATES",
            counts.authorities,
            "devices prove themselves by a certificate authority; the authorities are not in the registry",
            "upload and verify each certificate authority at the other hub by hand, before a move",
        ),
        counted(
            "CLOUD_TO_DEVICE_MESSAGES",
            counts.waiting_messages,
            "messages that wait for devices stay at the old hub",
            "send them again from the back end, or let them expire",
        ),
        counted(
            "REPORTED_PROPERTIES",
            counts.reporting,
            "reported properties belong to the device and are not copied",
            "let devices report in full when they connect; backups keep the last ones",
        ),
        counted(
            "EDGE_SCOPES",
            counts.edges,
            "every hub makes the scopes of its Edge devices itself; children are attached anew",
            "nothing: parents are written first and scopes translated by the parent's id",
        ),
        counted(
            "JOB_HISTORY",
            counts.jobs,
            "the history of jobs stays at the old hub",
            "keep what you need of it elsewhere",
        ),
    ];
    let always = [
        loss(
            "GENERATION_AND_VERSIONS",
            counts.records,
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
    some.into_iter().flatten().chain(always).collect()
}

fn counted(
    reason: &'static str,
    count: Option<u64>,
    what: &'static str,
    remedy: &'static str,
) -> Option<Loss> {
    (count != Some(0)).then(|| loss(reason, count.unwrap_or(0), what, remedy))
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

    #[test]
    fn what_cannot_be_counted_is_named_without_a_number() {
        let found = losses_of(&Counts {
            edges: Some(0),
            ..Counts::default()
        });
        let count = |reason: &str| {
            let loss = found.iter().find(|loss| loss.reason == reason);
            loss.map(|loss| loss.count)
        };
        assert_eq!(count("CLOUD_TO_DEVICE_MESSAGES"), Some(0));
        assert_eq!(count("EDGE_SCOPES"), None);
    }
}
