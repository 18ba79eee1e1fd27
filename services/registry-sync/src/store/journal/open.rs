//! Rows of the journal without an outcome, and what keeps two changes of a device apart and its
//! lives in order.

use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Incarnation;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Entry, Raw};

/// Lets one transaction at a time record an attempt for a device, until it ends.
pub(crate) async fn lock_device(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended($1, 20)) as locked",
        format!("{fleet}/{device}")
    )
    .fetch_one(connection)
    .await?;
    Ok(())
}

/// Rows of other requests for this device at this hub whose outcome is not known, oldest first.
pub(crate) async fn of_device(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &HubId,
    device: &str,
    caller: &str,
    request_id: Uuid,
) -> Result<Vec<Entry>, StoreError> {
    let rows = sqlx::query_as!(
        Raw,
        r#"select sequence, epoch, hub_id, operation, device_id, incarnation, caller, request_id,
                  body_sha256, record, sealed_credential, fingerprint, state, reason, detail,
                  response, deadline, deadline < clock_timestamp() as "is_overdue!"
             from registry.journal
            where fleet_id = $1 and device_id = $2 and hub_id = $3
              and not (caller = $4 and request_id = $5) and state in ('intent', 'unknown')
            order by sequence"#,
        fleet.as_str(),
        device,
        hub.as_str(),
        caller,
        request_id
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// Whether a change of the device with a higher number happened, and was answered so.
pub(crate) async fn is_superseded(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    sequence: i64,
) -> Result<bool, StoreError> {
    let found = sqlx::query_scalar!(
        r#"select exists (select from registry.journal
            where fleet_id = $1 and device_id = $2 and sequence > $3 and state = 'done'
              and response is not null) as "is!""#,
        fleet.as_str(),
        device,
        sequence
    )
    .fetch_one(connection)
    .await?;
    Ok(found)
}

/// Takes rows whose deadline passed without an outcome, at most `limit`: they become `unknown` with
/// the time of this look. Over all replicas a row is taken at most once per `every`, and less
/// often the longer it is overdue, down to twice a minute.
pub(crate) async fn claim(
    connection: &mut PgConnection,
    every: Duration,
    limit: i64,
) -> Result<Vec<(FleetId, Entry)>, StoreError> {
    let due = sqlx::query!(
        "update registry.journal as journal
            set state = 'unknown', outcome_time = clock_timestamp()
           from (select fleet_id, sequence from registry.journal
                  where state in ('intent', 'unknown') and deadline < clock_timestamp()
                    and (outcome_time is null
                         or outcome_time < clock_timestamp() - make_interval(secs => least(30,
                                greatest($1, extract(epoch from
                                    clock_timestamp() - deadline)::float8 / 10))))
                  order by deadline limit $2 for update skip locked) as due
          where journal.fleet_id = due.fleet_id and journal.sequence = due.sequence
          returning journal.fleet_id, journal.caller, journal.request_id",
        every.as_secs_f64(),
        limit
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut entries = Vec::with_capacity(due.len());
    for row in due {
        let Ok(fleet) = FleetId::new(row.fleet_id) else {
            continue;
        };
        if let Some(entry) =
            super::find(&mut *connection, &fleet, &row.caller, row.request_id).await?
        {
            entries.push((fleet, entry));
        }
    }
    Ok(entries)
}

/// Has the changes of a device looked at soon of which nobody knows whether they happened, and that
/// can't land any more.
pub(crate) async fn hurry(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.journal set outcome_time = deadline
          where fleet_id = $1 and device_id = $2 and state = 'unknown'
            and deadline < clock_timestamp() and outcome_time > deadline",
        fleet.as_str(),
        device
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Which life a new device of this id would be: later than every one that any hub has shown and
/// every one that is over.
pub(crate) async fn next_life(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
) -> Result<Incarnation, StoreError> {
    let last = sqlx::query_scalar!(
        r#"select greatest(
               (select max(incarnation) from registry.incarnation
                 where fleet_id = $1 and device_id = $2),
               (select max(incarnation) from registry.tombstone
                 where fleet_id = $1 and device_id = $2), 0) as "last!""#,
        fleet.as_str(),
        device
    )
    .fetch_one(connection)
    .await?;
    Ok(last.cast_unsigned() + 1)
}
