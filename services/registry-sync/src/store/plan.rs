//! What a pass would do, counted from what was last seen of both hubs. The rules are those of
//! [`super::compare`]: what a tombstone buries is never made, and nothing is removed without one.

use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

/// Records, by what a pass would do with them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Devices seen at the authority, as hubs count them: without modules and configurations.
    pub(crate) source: i64,
    /// Devices seen at the standby.
    pub(crate) target: i64,
    pub(crate) creates: i64,
    /// Those of them that an import job can make: [`super::seed::lacking`].
    pub(crate) seedable: i64,
    pub(crate) updates: i64,
    /// Gone from the authority, as far as is known: buried, or not found when it was last asked.
    pub(crate) deletes: i64,
    pub(crate) unchanged: i64,
    /// Only at the standby, and nobody deleted them.
    pub(crate) extras: i64,
}

/// Counts what a pass would do.
pub(crate) async fn tally(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
) -> Result<Tally, StoreError> {
    let tally = sqlx::query_as!(
        Tally,
        r#"with s as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $2 and missing_count = 0),
           t as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $3 and missing_count = 0),
           pair as (
               select s.device_id is not null as at_source,
                      t.device_id is not null as at_target,
                      strpos(coalesce(s.device_id, t.device_id), '/') = 0 as is_device,
                      s.parent is null and strpos(s.device_id, '/') = 0
                          and b.hold is null as is_seedable,
                      case when b.hold is null
                           then coalesce(s.incarnation = t.incarnation
                                         and s.fingerprint = t.fingerprint, false)
                           else coalesce(s.incarnation = t.incarnation
                                    and (not t.enabled or strpos(t.device_id, '/') > 0)
                                    and s.credential_kind = t.credential_kind
                                    and s.credential_fingerprint = t.credential_fingerprint
                                    and s.iot_edge = t.iot_edge
                                    and s.managed_by is not distinct from t.managed_by
                                    and s.parent is not distinct from t.parent
                                    and s.status_reason is not distinct from t.status_reason
                                    and s.tags = t.tags and s.desired = t.desired, false)
                       end as is_equal,
                      exists (select from registry.tombstone d
                               where d.fleet_id = $1
                                 and d.device_id = coalesce(s.device_id, t.device_id)
                                 and d.incarnation >= coalesce(s.incarnation, t.incarnation)
                                 and $2 = any(d.acked_by)) as is_buried,
                      b.device_id is not null
                          or exists (select from registry.observed m
                                      where m.fleet_id = $1 and m.hub_id = $2
                                        and m.device_id = t.device_id
                                        and m.missing_count > 0) as was_known
                 from s full join t on t.device_id = s.device_id
                 left join registry.base b
                   on b.fleet_id = $1 and b.hub_id = $3
                  and b.device_id = coalesce(s.device_id, t.device_id))
           select count(*) filter (where at_source and is_device) as "source!",
                  count(*) filter (where at_target and is_device) as "target!",
                  count(*) filter (where at_source and not at_target
                                     and not is_buried) as "creates!",
                  count(*) filter (where at_source and not at_target
                                     and not is_buried and is_seedable) as "seedable!",
                  count(*) filter (where at_source and at_target and not is_equal
                                     and not is_buried) as "updates!",
                  count(*) filter (where not at_source
                                     and (is_buried or was_known)) as "deletes!",
                  count(*) filter (where is_equal) as "unchanged!",
                  count(*) filter (where not at_source and not is_buried
                                     and not was_known) as "extras!"
             from pair"#,
        fleet,
        source,
        target
    )
    .fetch_one(executor)
    .await?;
    Ok(tally)
}

/// The last looks at a hub of which anything is remembered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Looks {
    /// The last scan; its id has the time in it at which it began.
    pub(crate) scan_id: Option<Uuid>,
    /// When a device was last read or written.
    pub(crate) read_time: Option<OffsetDateTime>,
}

/// The last looks at a hub.
pub(crate) async fn looks(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Looks, StoreError> {
    let looks = sqlx::query_as!(
        Looks,
        r#"select (select o.scan_id from registry.observed o
                    where o.fleet_id = $1 and o.hub_id = $2 and o.scan_id is not null
                    order by o.scan_id desc limit 1) as "scan_id?",
                  (select max(o.read_time) from registry.observed o
                    where o.fleet_id = $1 and o.hub_id = $2) as "read_time?""#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(looks)
}
