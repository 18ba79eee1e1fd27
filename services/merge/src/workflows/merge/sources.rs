//! A back end's own store takes part: its branches are brought together by the same rules as
//! documents, and handed back under the version that they were read at.
//!
//! Conflicts are stored before the merged documents are handed over, so that no losing value is
//! ever lost. What moved meanwhile is read again.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::Stamp;
use hubshift_domain::metadata::{
    Branch, MergedDocument, NamespacePolicy, VersionVector, merge_branches,
};
use hubshift_flow::{StepCx, StepError};
use hubshift_store::commit;
use serde_json::Value;
use tonic::{Code, Status, Streaming};

use super::documents::Clashed;
use super::{MergeFlow, State, guarded};
use crate::source::Source;
use crate::store::conflict::{self, NewConflict, Scope};
use crate::store::merge;

/// Documents that are handed over at once.
const BATCH: usize = 100;
/// A store whose documents still move after so many readings is given up.
const ROUNDS: u32 = 5;
/// A store that does not answer so often is given up.
const TRIES: u32 = 30;
/// A stream that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// One store in one merge.
struct Taking<'a> {
    source: Source,
    cx: &'a StepCx,
    primary: HubId,
    secondary: HubId,
    epoch: Epoch,
}

impl MergeFlow {
    /// Reads a store's branches once and hands the merged documents over.
    pub(super) async fn merge_source(
        &self,
        state: &mut State,
        cx: &StepCx,
        url: &str,
    ) -> Result<(), StepError> {
        let hub = |slug: &str| HubId::new(slug).context("a hub's slug");
        let taking = Taking {
            source: Source::at(url).with_context(|| url.to_owned())?,
            cx,
            primary: hub(&state.primary)?,
            secondary: hub(&state.secondary)?,
            epoch: state.epoch,
        };
        let stale = taking
            .run()
            .await
            .map_err(|error| give_up(error, cx, url))?;
        if stale.is_empty() {
            (state.sources_done, state.source_rounds) = (state.sources_done + 1, 0);
            return Ok(());
        }
        state.source_rounds += 1;
        if state.source_rounds >= ROUNDS {
            let keys: Vec<_> = stale.into_iter().take(10).collect();
            let text = format!("documents of {url} keep changing: {}", keys.join(", "));
            return Err(StepError::rejected("SOURCE_KEEPS_CHANGING", text));
        }
        Ok(())
    }
}

fn give_up(error: StepError, cx: &StepCx, url: &str) -> StepError {
    match error {
        StepError::Unknown(why) if cx.attempt >= TRIES => {
            StepError::rejected("SOURCE_UNREACHABLE", format!("{url}: {why:#}"))
        }
        other => other,
    }
}

impl Taking<'_> {
    /// The keys that moved meanwhile.
    async fn run(&self) -> Result<BTreeSet<String>, StepError> {
        let message = pb::StreamBranchesRequest {
            fleet: format!("fleets/{}", self.cx.fleet_id),
            merge: merge::name(&self.cx.fleet_id, self.cx.workflow_id),
            primary_hub: self.primary.to_string(),
            secondary_hub: self.secondary.to_string(),
        };
        let mut stream = self.source.branches(message).await.map_err(failed)?;
        let mut stale = BTreeSet::new();
        let mut documents = Vec::new();
        let mut conflicts = Vec::new();
        while let Some(read) = next(&mut stream).await? {
            let merged = self.merge(&read);
            conflicts.extend(self.conflicts(&read, &merged));
            documents.extend(handed(&read, &merged));
            if documents.len() == BATCH {
                stale.extend(self.hand_over(&mut documents, &mut conflicts).await?);
            }
        }
        stale.extend(self.hand_over(&mut documents, &mut conflicts).await?);
        Ok(stale)
    }

    fn merge(&self, read: &pb::StreamBranchesResponse) -> MergedDocument {
        let base = self.base(read);
        let branches = [
            self.branch(read, &self.primary, Epoch::default(), read.primary.as_ref()),
            self.branch(read, &self.secondary, self.epoch, read.secondary.as_ref()),
        ];
        merge_branches(Some(&base), &branches, policy(&read.policy), None)
    }

    fn base(&self, read: &pb::StreamBranchesResponse) -> Branch {
        Branch {
            value: read.base.as_ref().map(from_value).unwrap_or_default(),
            deleted: read.base.is_none(),
            version: VersionVector::new(),
            stamp: self.stamp(&self.primary, Epoch::default()),
            incarnation: 0,
        }
    }

    /// A side that is as the base has seen nothing new.
    fn branch(
        &self,
        read: &pb::StreamBranchesResponse,
        hub: &HubId,
        epoch: Epoch,
        value: Option<&prost_types::Value>,
    ) -> Branch {
        let (now, before) = (value.map(from_value), read.base.as_ref().map(from_value));
        let mut version = VersionVector::new();
        version.set(hub.clone(), u64::from(now != before));
        Branch {
            deleted: now.is_none(),
            value: now.unwrap_or(Value::Null),
            version,
            stamp: self.stamp(hub, epoch),
            incarnation: 0,
        }
    }

    fn stamp(&self, hub: &HubId, epoch: Epoch) -> Stamp {
        Stamp {
            epoch,
            sequence: 0,
            origin: hub.clone(),
        }
    }

    fn conflicts(
        &self,
        read: &pb::StreamBranchesResponse,
        merged: &MergedDocument,
    ) -> Vec<NewConflict> {
        let primary = self.primary.as_str();
        if merged.branches.len() > 1 {
            return vec![undecided(read)];
        }
        let rows = merged.clashes.iter().flat_map(|clash| {
            clash
                .dropped
                .iter()
                .enumerate()
                .map(move |(number, dropped)| {
                    let row = Clashed {
                        scope: Scope::Source,
                        key: &read.key,
                        policy: &read.policy,
                        is_open: false,
                        number,
                    };
                    row.against(clash, dropped, primary)
                })
        });
        rows.collect()
    }

    async fn hand_over(
        &self,
        documents: &mut Vec<pb::MergedDocument>,
        conflicts: &mut Vec<NewConflict>,
    ) -> Result<Vec<String>, StepError> {
        let (fleet, id) = (self.cx.fleet_id.as_str(), self.cx.workflow_id);
        if !conflicts.is_empty() {
            let mut tx = guarded(self.cx).await?;
            conflict::put(&mut tx, fleet, id, conflicts).await?;
            commit(tx).await?;
            conflicts.clear();
        }
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let message = pb::ApplyMergedRequest {
            fleet: format!("fleets/{fleet}"),
            merge: merge::name(fleet, id),
            documents: std::mem::take(documents),
        };
        self.source.apply(message).await.map_err(failed)
    }
}

/// An unknown policy decides nothing.
fn policy(name: &str) -> NamespacePolicy {
    match name {
        "" => NamespacePolicy::JsonLeaf,
        name => NamespacePolicy::parse(name).unwrap_or(NamespacePolicy::Manual),
    }
}

/// What is handed over: nothing when no policy can decide.
fn handed(
    read: &pb::StreamBranchesResponse,
    merged: &MergedDocument,
) -> Option<pb::MergedDocument> {
    let [branch] = merged.branches.as_slice() else {
        return None;
    };
    Some(pb::MergedDocument {
        key: read.key.clone(),
        value: branch.live_value().map(to_value),
        version: read.version.clone(),
    })
}

fn undecided(read: &pb::StreamBranchesResponse) -> NewConflict {
    let value = |value: &Option<prost_types::Value>| value.as_ref().map(from_value);
    NewConflict {
        scope: Scope::Source,
        key: read.key.clone(),
        kind: "field_conflict".to_owned(),
        path: String::new(),
        base: value(&read.base),
        primary: value(&read.primary),
        secondary: value(&read.secondary),
        stamps: Value::Object(serde_json::Map::new()),
        chosen: None,
        policy: format!("{} v1", read.policy),
        state: hubshift_domain::merge::ConflictState::Held,
        generation: 0,
        is_applied: true,
    }
}

async fn next(
    stream: &mut Streaming<pb::StreamBranchesResponse>,
) -> Result<Option<pb::StreamBranchesResponse>, StepError> {
    let message = tokio::time::timeout(SILENCE, stream.message()).await;
    message.context("the store fell silent")?.map_err(failed)
}

fn failed(status: Status) -> StepError {
    let text = format!("{}: {}", status.code(), status.message());
    match status.code() {
        Code::Unimplemented => StepError::rejected("SOURCE_REFUSED", text),
        _ => StepError::Unknown(anyhow::anyhow!(text)),
    }
}
