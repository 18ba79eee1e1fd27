//! `registry.adoption_extra`: what only the standby had when a plan was made, and how it is shown.

use hubshift_domain::adoption::{ExtraAction, ExtraOutcome};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::{CredentialKind, Fingerprint};
use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::damaged;
use crate::store::observed::digest_of_bits;

/// Which hubs a plan is of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) fleet: &'a FleetId,
    /// The active hub.
    pub(crate) source: &'a HubId,
    /// The standby.
    pub(crate) target: &'a HubId,
}

/// Writes down what only the standby has: the rule is that of [`crate::store::compare::standing`].
pub(crate) async fn fill(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    pair: Pair<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "with extra as (
             select t.device_id, t.generation_id, t.identity_etag, t.enabled, t.status_reason,
                    t.credential_kind, t.iot_edge, t.parent, t.fingerprint
               from registry.observed t
              where t.fleet_id = $2 and t.hub_id = $4 and t.missing_count = 0
                and not exists (
                    select from registry.observed s
                     where s.fleet_id = $2 and s.hub_id = $3 and s.device_id = t.device_id)
                and not exists (
                    select from registry.base b
                     where b.fleet_id = $2 and b.hub_id = $4 and b.device_id = t.device_id)
                and not exists (
                    select from registry.tombstone d
                     where d.fleet_id = $2 and d.device_id = t.device_id
                       and d.incarnation >= t.incarnation and $3 = any(d.acked_by)))
         insert into registry.adoption_extra
             (adoption_id, device_id, goes_with, generation_id, identity_etag, enabled,
              status_reason, credential_kind, iot_edge, parent, fingerprint)
         select $1::uuid, e.device_id, d.device_id, e.generation_id, e.identity_etag, e.enabled,
                e.status_reason, e.credential_kind, e.iot_edge, e.parent, e.fingerprint
           from extra e
           left join extra d
             on strpos(e.device_id, '/') > 1 and d.device_id = split_part(e.device_id, '/', 1)",
        id,
        pair.fleet.as_str(),
        pair.source.as_str(),
        pair.target.as_str()
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// How many extras a plan has, and the exclusive or of their fingerprints.
pub(crate) async fn digest(
    executor: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<(i64, Fingerprint), StoreError> {
    let row = sqlx::query!(
        r#"select count(*) as "count!",
                  bit_xor(('x' || encode(fingerprint, 'hex'))::bit(128))::text as digest
             from registry.adoption_extra where adoption_id = $1"#,
        id
    )
    .fetch_one(executor)
    .await?;
    Ok((row.count, digest_of_bits(row.digest.as_deref())?))
}

/// An extra, for a person.
#[derive(Debug, Clone)]
pub(crate) struct ExtraRow {
    pub(crate) device: String,
    pub(crate) goes_with: Option<String>,
    pub(crate) enabled: bool,
    pub(crate) status_reason: Option<String>,
    pub(crate) credential_kind: CredentialKind,
    pub(crate) iot_edge: bool,
    pub(crate) parent: Option<String>,
    pub(crate) action: Option<ExtraAction>,
    pub(crate) outcome: Option<ExtraOutcome>,
    pub(crate) detail: String,
    pub(crate) outcome_time: Option<OffsetDateTime>,
}

/// Extras after `after`, by their keys.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    after: &str,
    limit: i64,
) -> Result<Vec<ExtraRow>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, goes_with, enabled, status_reason, credential_kind, iot_edge, parent,
                action, outcome, detail, outcome_time
           from registry.adoption_extra
          where adoption_id = $1 and device_id > $2 order by device_id limit $3",
        id,
        after,
        limit
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = CredentialKind::parse(&row.credential_kind);
            let outcome = row.outcome.map(|text| {
                let outcome = ExtraOutcome::parse(&text);
                outcome.ok_or_else(|| damaged("adoption_extra.outcome"))
            });
            Ok(ExtraRow {
                device: row.device_id,
                goes_with: row.goes_with,
                enabled: row.enabled,
                status_reason: row.status_reason,
                credential_kind: kind.ok_or_else(|| damaged("credential_kind"))?,
                iot_edge: row.iot_edge,
                parent: row.parent,
                action: row.action.as_deref().map(action).transpose()?,
                outcome: outcome.transpose()?,
                detail: row.detail,
                outcome_time: row.outcome_time,
            })
        })
        .collect()
}

/// What was told, as it is stored.
pub(super) fn action(text: &str) -> Result<ExtraAction, StoreError> {
    ExtraAction::parse(text).ok_or_else(|| damaged("adoption_extra.action"))
}

/// Those of the keys that are extras of a plan, each with the device that it goes with.
pub(crate) async fn known(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    devices: &[String],
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, goes_with from registry.adoption_extra
          where adoption_id = $1 and device_id = any($2)",
        id,
        devices
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.device_id, row.goes_with))
        .collect())
}

/// How many extras came to what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub(crate) kept: i64,
    pub(crate) quarantined: i64,
    pub(crate) deleted: i64,
    pub(crate) stale: i64,
    pub(crate) rejected: i64,
}

/// Counts what became of a plan's extras.
pub(crate) async fn outcomes(
    executor: impl PgExecutor<'_>,
    id: Uuid,
) -> Result<Outcomes, StoreError> {
    let outcomes = sqlx::query_as!(
        Outcomes,
        r#"select count(*) filter (where outcome = 'kept') as "kept!",
                  count(*) filter (where outcome = 'quarantined') as "quarantined!",
                  count(*) filter (where outcome = 'deleted') as "deleted!",
                  count(*) filter (where outcome = 'stale') as "stale!",
                  count(*) filter (where outcome = 'rejected') as "rejected!"
             from registry.adoption_extra where adoption_id = $1"#,
        id
    )
    .fetch_one(executor)
    .await?;
    Ok(outcomes)
}
