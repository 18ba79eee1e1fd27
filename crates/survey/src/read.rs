//! Fresh reads: listings are minutes old, so that what they seem to say is asked for once more.

use std::collections::BTreeSet;

use hubshift_hub::{Hub, HubDevice, HubError, Rejection};

use crate::compare::{Comparison, Difference, Field};

/// What came of asking again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// How many keys were read at both hubs.
    pub read: u64,
    /// How many findings were left as the listings had them, because there were too many.
    pub unread: u64,
}

/// Reads every key that seems to be missing, extra or different at both hubs, up to `limit` of
/// each kind, and corrects the comparison by what they say.
///
/// # Errors
/// A hub that does not answer.
pub async fn confirm(
    comparison: &mut Comparison,
    source: &dyn Hub,
    target: &dyn Hub,
    limit: usize,
) -> Result<Checked, HubError> {
    let different = comparison.different.iter().map(|found| found.key.clone());
    let keys: BTreeSet<String> = comparison
        .missing
        .iter()
        .take(limit)
        .chain(comparison.extra.iter().take(limit))
        .cloned()
        .chain(different.take(limit))
        .collect();
    let findings = comparison.missing.len() + comparison.extra.len() + comparison.different.len();
    let checked = Checked {
        read: keys.len() as u64,
        unread: findings.saturating_sub(keys.len()) as u64,
    };
    for key in keys {
        let (here, there) = (get(source, &key).await?, get(target, &key).await?);
        comparison.correct(&key, here.as_ref(), there.as_ref());
    }
    Ok(checked)
}

/// Reads the identities of these keys at both hubs and names those whose keys differ.
///
/// # Errors
/// A hub that does not answer.
pub async fn keys_differ(
    keys: &[String],
    source: &dyn Hub,
    target: &dyn Hub,
) -> Result<Vec<String>, HubError> {
    let mut differing = Vec::new();
    for key in keys {
        let pair = (get(source, key).await?, get(target, key).await?);
        if let (Some(here), Some(there)) = pair
            && here.identity.credentials != there.identity.credentials
        {
            differing.push(key.clone());
        }
    }
    Ok(differing)
}

/// A key that a hub will not show alone (a module of a disabled device) counts as not there.
async fn get(hub: &dyn Hub, key: &str) -> Result<Option<HubDevice>, HubError> {
    match hub.get(key).await.into_result() {
        Err(HubError::Rejected(Rejection::Invalid(_))) => Ok(None),
        other => other,
    }
}

impl Comparison {
    /// Puts a key where fresh reads say that it belongs.
    pub(crate) fn correct(
        &mut self,
        key: &str,
        here: Option<&HubDevice>,
        there: Option<&HubDevice>,
    ) {
        self.missing.retain(|other| other != key);
        self.extra.retain(|other| other != key);
        self.different.retain(|other| other.key != key);
        match (here, there) {
            (Some(_), None) => self.missing.push(key.to_owned()),
            (None, Some(_)) => self.extra.push(key.to_owned()),
            (Some(here), Some(there)) => match fields(here, there) {
                fields if fields.is_empty() => self.equal += 1,
                fields => self.different.push(Difference {
                    key: key.to_owned(),
                    fields,
                }),
            },
            (None, None) => {}
        }
        self.missing.sort();
        self.extra.sort();
        self.different.sort_by(|one, other| one.key.cmp(&other.key));
    }
}

fn fields(here: &HubDevice, there: &HubDevice) -> Vec<Field> {
    let (a, b) = (&here.identity, &there.identity);
    let reason = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let checks = [
        (Field::Status, a.enabled != b.enabled),
        (
            Field::StatusReason,
            reason(&a.status_reason) != reason(&b.status_reason),
        ),
        (Field::Keys, a.credentials != b.credentials),
        (Field::IotEdge, a.iot_edge != b.iot_edge),
        (Field::Parent, a.parent != b.parent),
        (Field::Tags, here.tags != there.tags),
        (Field::Desired, here.desired != there.desired),
    ];
    let differing = checks.into_iter().filter(|(_, differs)| *differs);
    differing.map(|(field, _)| field).collect()
}
