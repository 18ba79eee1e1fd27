//! Documents: a write goes in place, aside, or is refused; a merge brings branches together.
//!
//! Durable: `merge.document`. Kept true: a write that is not from the active authority is never
//! applied in place; no write takes the place of the main line that its writer did not read; the
//! base is the main line as it was before the first write of its epoch.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Stamp;
use hubshift_domain::metadata::{
    Authority, Branch, DocumentClash, Dominance, NamespacePolicy, VersionVector, Write, Written,
    merge_branches, write,
};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::store::authority;
use crate::store::document::{self, DocumentKey, StoredDocument};

/// Why a document was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("fleet {0} does not exist")]
    NoFleet(FleetId),
    #[error("the document was written since; its version is now {0}; read it again")]
    VersionMismatch(String),
    #[error("the fleet is in epoch {known}, the write of {given}; repeat it in a moment")]
    EpochAhead { known: Epoch, given: Epoch },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A back end's write.
#[derive(Debug, Clone)]
pub(crate) struct PutDocument {
    pub(crate) at: DocumentKey,
    /// `None` deletes.
    pub(crate) value: Option<Value>,
    pub(crate) device: String,
    pub(crate) origin: HubId,
    pub(crate) epoch: Epoch,
    /// As it was read; empty for a document that was not there.
    pub(crate) expected: VersionVector,
}

/// Writes a document in the caller's transaction. `true` when the write waits for the merge.
pub(crate) async fn put(
    connection: &mut PgConnection,
    put: PutDocument,
) -> Result<(StoredDocument, bool), DocumentError> {
    let authority = authority::authority(connection, &put.at.fleet)
        .await?
        .ok_or_else(|| DocumentError::NoFleet(put.at.fleet.clone()))?;
    if put.epoch > authority.epoch {
        return Err(DocumentError::EpochAhead {
            known: authority.epoch,
            given: put.epoch,
        });
    }
    loop {
        let stored = document::lock(connection, &put.at).await?;
        let is_new = stored.is_none();
        let (document, is_branch) = decide(stored, &put, &authority)?;
        let is_stored = match is_new {
            // Somebody else may create it at this moment: then what he wrote is decided on.
            true => document::create(connection, &put.at, &document).await?,
            false => {
                document::save(connection, &put.at, &document).await?;
                true
            }
        };
        if is_stored {
            return Ok((document, is_branch));
        }
    }
}

/// What a write makes of the document, and whether it waits for the merge.
fn decide(
    stored: Option<StoredDocument>,
    put: &PutDocument,
    authority: &Authority,
) -> Result<(StoredDocument, bool), DocumentError> {
    let in_place = put.origin == authority.hub && put.epoch == authority.epoch;
    let (seen, known) = match &stored {
        _ if in_place => (put.expected.clone(), main_line(stored.as_ref())),
        Some(stored) => (seen_by(stored, put)?, stored.branches()),
        None => (VersionVector::new(), Vec::new()),
    };
    let wish = Write {
        seen,
        value: put.value.clone(),
        stamp: Stamp {
            epoch: put.epoch,
            sequence: sequence(),
            origin: put.origin.clone(),
        },
        incarnation: 0,
    };
    match write(&known, wish, authority) {
        Written::Refused { current } => Err(mismatch(&current)),
        Written::InPlace(branch) => Ok((place(stored, branch, put), false)),
        Written::Aside(branch) => Ok((set_aside(stored, branch, put), true)),
    }
}

fn mismatch(current: &VersionVector) -> DocumentError {
    DocumentError::VersionMismatch(version_text(current))
}

fn main_line(stored: Option<&StoredDocument>) -> Vec<Branch> {
    stored
        .map(|document| document.main.clone())
        .into_iter()
        .collect()
}

/// What a back end that was cut off has seen: the base, and what was written since on its side. It
/// must have read both: a write that counts as made in their knowledge, and is not, would take
/// their place without a word.
fn seen_by(stored: &StoredDocument, put: &PutDocument) -> Result<VersionVector, DocumentError> {
    let before = if stored.main.stamp.epoch <= put.epoch {
        Some(&stored.main)
    } else {
        None
    };
    let base = before
        .or(stored.base.as_ref())
        .map(|branch| branch.version.clone())
        .unwrap_or_default();
    let own = stored
        .aside
        .iter()
        .filter(|branch| branch.stamp.origin == put.origin);
    let own = own.fold(VersionVector::new(), |seen, branch| {
        seen.join(&branch.version)
    });
    let known = base.join(&own);
    match put.expected.compare(&known) {
        Dominance::Equal | Dominance::Dominates => Ok(known),
        Dominance::Dominated | Dominance::Concurrent => Err(mismatch(&known)),
    }
}

/// Microseconds: rises with every write of one document, because its row is held meanwhile.
fn sequence() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

fn place(stored: Option<StoredDocument>, branch: Branch, put: &PutDocument) -> StoredDocument {
    let Some(mut document) = stored else {
        return fresh(branch, put);
    };
    if document.main.stamp.epoch < branch.stamp.epoch && document.aside.is_empty() {
        document.base = Some(document.main);
    }
    document.main = branch;
    document.device.clone_from(&put.device);
    document
}

fn set_aside(stored: Option<StoredDocument>, branch: Branch, put: &PutDocument) -> StoredDocument {
    let Some(mut document) = stored else {
        return fresh(branch, put);
    };
    if document.base.is_none() && document.main.stamp.epoch <= put.epoch {
        document.base = Some(document.main.clone());
    }
    document
        .aside
        .retain(|old| old.stamp.origin != branch.stamp.origin);
    document.aside.push(branch);
    document
}

fn fresh(main: Branch, put: &PutDocument) -> StoredDocument {
    StoredDocument {
        device: put.device.clone(),
        main,
        aside: Vec::new(),
        base: None,
        has_conflicts: false,
        update_time: OffsetDateTime::now_utc(),
    }
}

/// A version as text: equal texts are equal versions.
pub(crate) fn version_text(version: &VersionVector) -> String {
    if version.iter().next().is_none() {
        return String::new();
    }
    version
        .iter()
        .map(|(hub, count)| format!("{hub}:{count}"))
        .collect::<Vec<_>>()
        .join(",")
}

/// Reads a version from its text; empty is the version of a document that is not there.
pub(crate) fn parse_version(text: &str) -> Option<VersionVector> {
    let entries = text
        .split(',')
        .filter(|entry| !entry.is_empty())
        .map(|entry| {
            let (hub, count) = entry.split_once(':')?;
            Some((HubId::new(hub).ok()?, count.parse::<u64>().ok()?))
        });
    entries.collect()
}

/// A clash of one document, for the merge's list of conflicts.
#[derive(Debug, Clone)]
pub(crate) struct Clash {
    pub(crate) key: String,
    pub(crate) policy: NamespacePolicy,
    /// Whether a person must decide.
    pub(crate) is_open: bool,
    pub(crate) clash: DocumentClash,
}

/// Brings the branches of at most `limit` documents together. Returns how many there were; a
/// caller repeats until there are none. Documents that no policy can settle keep their branches
/// as one conflict and are not seen again.
pub(crate) async fn merge_some(
    connection: &mut PgConnection,
    fleet: &FleetId,
    limit: i64,
) -> Result<(usize, Vec<Clash>), StoreError> {
    let keys = document::with_branches(connection, fleet, limit).await?;
    let mut clashes = Vec::new();
    for at in &keys {
        let Some(stored) = document::lock(connection, at).await? else {
            continue;
        };
        let policy = document::policy(connection, fleet, &at.namespace).await?;
        let (document, found) = bring_together(&stored, policy);
        let is_open = document.has_conflicts;
        clashes.extend(found.into_iter().map(|clash| Clash {
            key: format!("{}/{}", at.namespace, at.key),
            policy,
            is_open,
            clash,
        }));
        document::save(connection, at, &document).await?;
    }
    Ok((keys.len(), clashes))
}

fn bring_together(
    stored: &StoredDocument,
    policy: NamespacePolicy,
) -> (StoredDocument, Vec<DocumentClash>) {
    let merged = merge_branches(stored.base.as_ref(), &stored.branches(), policy, None);
    let mut document = stored.clone();
    let unsettled = merged.branches.len() > 1;
    if let Some(shown) = merged.shown() {
        document.main = shown.clone();
        // The main line has now seen every branch: the next write is made in its knowledge.
        document.main.version = merged.version();
    }
    document.base = Some(document.main.clone());
    document.aside = Vec::new();
    document.has_conflicts = unsettled;
    let mut clashes = merged.clashes;
    if unsettled {
        clashes.push(siblings(stored, &merged.branches));
    }
    (document, clashes)
}

/// Branches that no policy settles, as one clash of the whole document: nothing is lost.
fn siblings(stored: &StoredDocument, branches: &[Branch]) -> DocumentClash {
    let others = branches.iter().skip(1);
    DocumentClash {
        path: String::new(),
        base: stored.base.as_ref().and_then(Branch::live_value).cloned(),
        taken: branches.first().and_then(Branch::live_value).cloned(),
        dropped: others
            .map(|branch| hubshift_domain::metadata::Dropped {
                value: branch.live_value().cloned(),
                stamp: branch.stamp.clone(),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_back_from_their_text() {
        let east = HubId::new("east").unwrap();
        let version: VersionVector = [(east, 3)].into_iter().collect();
        assert_eq!(version_text(&version), "east:3");
        assert_eq!(parse_version("east:3"), Some(version));
        assert_eq!(parse_version(""), Some(VersionVector::new()));
        assert_eq!(parse_version("east=3"), None);
    }
}
