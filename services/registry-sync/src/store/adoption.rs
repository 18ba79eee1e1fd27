//! `registry.adoption`: plans to adopt a hub. A row is made once, and belongs to one task at a time,
//! which does what was told about its extras.

pub(crate) mod extra;
pub(crate) mod work;

use hubshift_domain::adoption::ExtraAction;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::observed::fingerprint;
use crate::app::adoption::Facts;
use crate::authority::damaged;

/// A plan as it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewAdoption<'a> {
    pub(crate) id: Uuid,
    pub(crate) fleet: &'a FleetId,
    pub(crate) hub: &'a HubId,
    pub(crate) epoch: Epoch,
    pub(crate) facts: &'a Facts,
}

/// A plan.
#[derive(Debug, Clone)]
pub(crate) struct AdoptionRow {
    pub(crate) id: Uuid,
    pub(crate) hub: HubId,
    pub(crate) epoch: Epoch,
    pub(crate) facts: Facts,
    pub(crate) extra_count: i64,
    pub(crate) extra_digest: Fingerprint,
    /// What was told about the extras that no override names.
    pub(crate) action: Option<ExtraAction>,
    /// The last task that was to do it.
    pub(crate) apply_task: Option<Uuid>,
    pub(crate) create_time: OffsetDateTime,
    pub(crate) expire_time: OffsetDateTime,
    /// When every extra had an outcome.
    pub(crate) apply_time: Option<OffsetDateTime>,
    /// Whether its time is over.
    pub(crate) is_expired: bool,
}

/// Makes a plan without extras, for 24 hours; `false` when it is there already.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    new: &NewAdoption<'_>,
) -> Result<bool, StoreError> {
    let facts = serde_json::to_value(new.facts)
        .map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))?;
    let done = sqlx::query!(
        "insert into registry.adoption
             (adoption_id, fleet_id, hub_id, epoch, facts, extra_digest, expire_time)
         values ($1, $2, $3, $4, $5, $6, clock_timestamp() + interval '24 hours')
         on conflict on constraint registry_adoption_pk do nothing",
        new.id,
        new.fleet.as_str(),
        new.hub.as_str(),
        new.epoch.as_i64(),
        facts,
        &Fingerprint::default().0[..]
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Says how many extras a plan has, and their digest.
pub(crate) async fn set_extras(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    count: i64,
    digest: Fingerprint,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.adoption set extra_count = $2, extra_digest = $3 where adoption_id = $1",
        id,
        count,
        &digest.0[..]
    )
    .execute(executor)
    .await?;
    Ok(())
}

struct Raw {
    hub_id: String,
    epoch: i64,
    facts: Value,
    extra_count: i64,
    extra_digest: Vec<u8>,
    action: Option<String>,
    apply_task: Option<Uuid>,
    create_time: OffsetDateTime,
    expire_time: OffsetDateTime,
    apply_time: Option<OffsetDateTime>,
    is_expired: bool,
}

/// A plan of a hub, if there is such a one.
pub(crate) async fn get(
    executor: impl PgExecutor<'_>,
    fleet: &FleetId,
    hub: &HubId,
    id: Uuid,
) -> Result<Option<AdoptionRow>, StoreError> {
    let raw = sqlx::query_as!(
        Raw,
        r#"select hub_id, epoch, facts, extra_count, extra_digest, action, apply_task,
                  create_time, expire_time, apply_time,
                  expire_time <= clock_timestamp() as "is_expired!"
             from registry.adoption
            where adoption_id = $1 and fleet_id = $2 and hub_id = $3"#,
        id,
        fleet.as_str(),
        hub.as_str()
    )
    .fetch_optional(executor)
    .await?;
    raw.map(|raw| read(id, raw)).transpose()
}

fn read(id: Uuid, raw: Raw) -> Result<AdoptionRow, StoreError> {
    let action = raw.action.map(|text| {
        let action = ExtraAction::parse(&text);
        action.ok_or_else(|| damaged("adoption.action"))
    });
    let facts = serde_json::from_value(raw.facts)
        .map_err(|error| StoreError::Bug(sqlx::Error::Decode(error.into())))?;
    Ok(AdoptionRow {
        id,
        hub: HubId::new(raw.hub_id).map_err(|_| damaged("hub_id"))?,
        epoch: Epoch::from_i64(raw.epoch),
        facts,
        extra_count: raw.extra_count,
        extra_digest: fingerprint(&raw.extra_digest)?,
        action: action.transpose()?,
        apply_task: raw.apply_task,
        create_time: raw.create_time,
        expire_time: raw.expire_time,
        apply_time: raw.apply_time,
        is_expired: raw.is_expired,
    })
}

/// Gives a plan to a task, unless it was applied or another task came first than `previous`, which
/// is known to be over.
pub(crate) async fn claim(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    action: ExtraAction,
    task: Uuid,
    previous: Option<Uuid>,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "update registry.adoption set action = $2, apply_task = $3
          where adoption_id = $1 and apply_time is null
            and (apply_task is null or apply_task = $3 or apply_task = $4)",
        id,
        action.as_str(),
        task,
        previous
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Every extra of the task's plan has its outcome.
pub(crate) async fn applied(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    task: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.adoption set apply_time = clock_timestamp()
          where adoption_id = $1 and apply_task = $2 and apply_time is null",
        id,
        task
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What of the active hub does not carry over, as far as rows tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Singular {
    /// Devices that prove themselves by a certificate authority.
    pub(crate) authorities: i64,
    /// Edge devices.
    pub(crate) edges: i64,
}

/// Counts what of a hub does not carry over.
pub(crate) async fn singular(
    executor: impl PgExecutor<'_>,
    fleet: &FleetId,
    hub: &HubId,
) -> Result<Singular, StoreError> {
    let counts = sqlx::query_as!(
        Singular,
        r#"select count(*) filter (where credential_kind = 'ca') as "authorities!",
                  count(*) filter (where iot_edge) as "edges!"
             from registry.observed
            where fleet_id = $1 and hub_id = $2 and missing_count = 0"#,
        fleet.as_str(),
        hub.as_str()
    )
    .fetch_one(executor)
    .await?;
    Ok(counts)
}

/// Forgets plans that are older than 30 days, but for those whose extras are still where somebody
/// decided to leave them.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.adoption a
          where a.create_time < clock_timestamp() - interval '30 days'
            and not exists (
                select from registry.adoption_extra e
                  join registry.observed o
                    on o.fleet_id = a.fleet_id and o.hub_id = a.hub_id
                   and o.device_id = e.device_id and o.generation_id = e.generation_id
                 where e.adoption_id = a.adoption_id and e.outcome in ('kept', 'quarantined'))"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
