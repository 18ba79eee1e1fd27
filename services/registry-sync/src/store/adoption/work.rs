//! `registry.adoption_extra`: what was told about extras, and what became of them. An outcome is
//! never taken back.

use hubshift_domain::adoption::{ExtraAction, ExtraOutcome, PlannedExtra};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::extra::action;
use crate::store::observed::fingerprint;

/// What somebody told about one extra.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) device: &'a str,
    pub(crate) action: ExtraAction,
}

/// Writes down what is to become of every extra that has no outcome yet: `default`, or what was told
/// about it or about the device that it goes with. What is kept, or is no device and can't be
/// disabled, has its outcome at once.
pub(crate) async fn decide(
    connection: &mut PgConnection,
    id: Uuid,
    default: ExtraAction,
    overrides: &[Told<'_>],
) -> Result<(), StoreError> {
    let devices: Vec<String> = overrides.iter().map(|it| it.device.to_owned()).collect();
    let actions: Vec<String> = overrides
        .iter()
        .map(|it| it.action.as_str().to_owned())
        .collect();
    sqlx::query!(
        "update registry.adoption_extra e set action = d.action
           from (select x.device_id, coalesce(o.action, $2::text) as action
                   from registry.adoption_extra x
                   left join unnest($3::text[], $4::text[]) as o(device_id, action)
                     on o.device_id = coalesce(x.goes_with, x.device_id)
                  where x.adoption_id = $1 and x.outcome is null) d
          where e.adoption_id = $1 and e.device_id = d.device_id",
        id,
        default.as_str(),
        &devices,
        &actions
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update registry.adoption_extra
            set outcome = 'kept', outcome_time = clock_timestamp(),
                detail = case when action = 'keep' then ''
                              else 'only a device can be disabled: keep it, or delete it' end
          where adoption_id = $1 and outcome is null
            and (action = 'keep'
                 or action = 'quarantine' and goes_with is null and strpos(device_id, '/') > 0)",
        id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// An extra that something is to be done with.
#[derive(Debug, Clone)]
pub(crate) struct OpenExtra {
    pub(crate) planned: PlannedExtra,
    pub(crate) action: ExtraAction,
}

/// Extras without an outcome that do not go with another one, leaves before gateways.
pub(crate) async fn open(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    limit: i64,
) -> Result<Vec<OpenExtra>, StoreError> {
    let rows = sqlx::query!(
        r#"select device_id, generation_id, identity_etag, enabled, status_reason, fingerprint,
                  action as "action!"
             from registry.adoption_extra
            where adoption_id = $1 and outcome is null and goes_with is null
              and action is not null
            order by iot_edge, device_id limit $2"#,
        id,
        limit
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(OpenExtra {
                action: action(&row.action)?,
                planned: PlannedExtra {
                    key: row.device_id,
                    generation_id: row.generation_id,
                    identity_etag: row.identity_etag,
                    enabled: row.enabled,
                    status_reason: row.status_reason,
                    fingerprint: fingerprint(&row.fingerprint)?,
                },
            })
        })
        .collect()
}

/// The modules that go with these devices, each with its device.
pub(crate) async fn members(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    devices: &[String],
) -> Result<Vec<(String, PlannedExtra)>, StoreError> {
    let rows = sqlx::query!(
        r#"select goes_with as "goes_with!", device_id, generation_id, identity_etag, enabled,
                  status_reason, fingerprint
             from registry.adoption_extra
            where adoption_id = $1 and goes_with = any($2) order by device_id"#,
        id,
        devices
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let module = PlannedExtra {
                key: row.device_id,
                generation_id: row.generation_id,
                identity_etag: row.identity_etag,
                enabled: row.enabled,
                status_reason: row.status_reason,
                fingerprint: fingerprint(&row.fingerprint)?,
            };
            Ok((row.goes_with, module))
        })
        .collect()
}

/// Those of the devices that were seen with a module at the standby that the plan does not know.
pub(crate) async fn grown(
    executor: impl PgExecutor<'_>,
    id: Uuid,
    fleet: &FleetId,
    hub: &HubId,
    devices: &[String],
) -> Result<Vec<String>, StoreError> {
    let devices = sqlx::query_scalar!(
        r#"select distinct split_part(o.device_id, '/', 1) as "device!"
             from registry.observed o
            where o.fleet_id = $2 and o.hub_id = $3 and o.missing_count = 0
              and strpos(o.device_id, '/') > 1 and split_part(o.device_id, '/', 1) = any($4)
              and not exists (select from registry.adoption_extra e
                               where e.adoption_id = $1 and e.device_id = o.device_id)"#,
        id,
        fleet.as_str(),
        hub.as_str(),
        devices
    )
    .fetch_all(executor)
    .await?;
    Ok(devices)
}

/// What became of an extra.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Concluded {
    pub(crate) device: String,
    pub(crate) outcome: ExtraOutcome,
    /// For a person.
    pub(crate) detail: String,
}

/// Writes down what became of extras, and with them of the modules that go with them.
pub(crate) async fn conclude(
    connection: &mut PgConnection,
    id: Uuid,
    concluded: &[Concluded],
) -> Result<(), StoreError> {
    let text = |of: fn(&Concluded) -> &str| -> Vec<String> {
        concluded.iter().map(|it| of(it).to_owned()).collect()
    };
    let devices = text(|it| &it.device);
    let outcomes = text(|it| it.outcome.as_str());
    let details = text(|it| &it.detail);
    sqlx::query!(
        "update registry.adoption_extra e
            set outcome = o.outcome, detail = o.detail, outcome_time = clock_timestamp()
           from unnest($2::text[], $3::text[], $4::text[]) as o(device_id, outcome, detail)
          where e.adoption_id = $1 and e.device_id = o.device_id and e.outcome is null",
        id,
        &devices,
        &outcomes,
        &details
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update registry.adoption_extra e
            set outcome = o.outcome, detail = 'as its device', outcome_time = clock_timestamp()
           from unnest($2::text[], $3::text[]) as o(device_id, outcome)
          where e.adoption_id = $1 and e.goes_with = o.device_id and e.outcome is null",
        id,
        &devices,
        &outcomes
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a device that was deleted at a hub, with its modules, as far as they were read before
/// that. It never was the fleet's: nothing is to be inferred from its absence.
pub(crate) async fn forget(
    executor: impl PgExecutor<'_>,
    fleet: &FleetId,
    hub: &HubId,
    device: &str,
    before: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.observed
          where fleet_id = $1 and hub_id = $2 and read_time <= $4
            and (device_id = $3
                 or strpos(device_id, '/') > 1 and split_part(device_id, '/', 1) = $3)",
        fleet.as_str(),
        hub.as_str(),
        device,
        before
    )
    .execute(executor)
    .await?;
    Ok(())
}
