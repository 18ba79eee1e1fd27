//! What two hubs hold, side by side, from what was last seen of each: which devices a standby
//! lacks, and whether two hubs are equal.
//!
//! Records compare by fingerprint. A device that a merge conflict holds is disabled at the hubs
//! whatever its record says: it is equal when all the rest is and the standby has it disabled. What
//! has a slash in its key is no device and cannot be disabled: all the rest is enough. What cannot
//! carry over ([`super::left_out`]) is neither waited for nor a difference.

use hubshift_domain::identity::Fingerprint;
use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::observed::digest_of_bits;

/// What a standby needs for one device.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) device_id: String,
    /// `create`, `update` or `delete`.
    pub(crate) action: String,
    /// The open conflict that holds the device.
    pub(crate) hold: Option<String>,
}

/// The devices after `after` at which the standby is not as the authority is, in order of their
/// ids. A deletion is in it only with a tombstone; what a tombstone buries is never created. A
/// tombstone counts once the authority followed it: a device that lives there lives. What cannot
/// carry over is in it where it is to be tried all the same, but for what the standby is known to
/// refuse ([`super::out_of_reach`]).
pub(crate) async fn differences(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
    after: &str,
    limit: i64,
    tries_all: bool,
) -> Result<Vec<Difference>, StoreError> {
    let rows = sqlx::query_as!(
        Difference,
        r#"with s as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $2 and device_id > $4 and missing_count = 0),
           t as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $3 and device_id > $4 and missing_count = 0),
           pair as (
               select coalesce(s.device_id, t.device_id) as device_id,
                      coalesce(s.incarnation, t.incarnation) as incarnation,
                      case when t.device_id is null then 'create'
                           when s.device_id is null then 'delete'
                           else 'update' end as action,
                      coalesce(s.incarnation = t.incarnation
                               and s.fingerprint = t.fingerprint, false) as is_same,
                      coalesce(s.incarnation = t.incarnation
                               and (not t.enabled or strpos(t.device_id, '/') > 0)
                               and s.credential_kind = t.credential_kind
                               and s.credential_fingerprint = t.credential_fingerprint
                               and s.iot_edge = t.iot_edge
                               and s.managed_by is not distinct from t.managed_by
                               and s.parent is not distinct from t.parent
                               and s.status_reason is not distinct from t.status_reason
                               and s.tags = t.tags and s.desired = t.desired,
                               false) as is_same_held
                 from s full join t on t.device_id = s.device_id)
           select p.device_id as "device_id!", p.action as "action!", b.hold
             from pair p
             left join registry.base b
               on b.fleet_id = $1 and b.hub_id = $3 and b.device_id = p.device_id
            where not (case when b.hold is null then p.is_same else p.is_same_held end)
              and (p.action = 'delete') = exists (
                      select from registry.tombstone d
                       where d.fleet_id = $1 and d.device_id = p.device_id
                         and d.incarnation >= p.incarnation and $2 = any(d.acked_by))
              and ($6::boolean or p.device_id not in (
                      select l.device_id from registry.left_out($1, $2, $3) l))
              and not exists (
                      select from registry.out_of_reach r
                        join registry.connection c
                          on c.fleet_id = r.fleet_id and c.hub_id = r.hub_id
                         and c.revision = r.revision
                        join registry.observed d
                          on d.fleet_id = r.fleet_id and d.hub_id = r.hub_id
                         and d.device_id = split_part(r.device_id, '/', 1)
                         and d.missing_count = 0 and not d.enabled
                        -- One that is to be enabled takes its modules in the same pass.
                        join registry.observed e
                          on e.fleet_id = $1 and e.hub_id = $2 and e.device_id = d.device_id
                         and e.missing_count = 0 and not e.enabled
                       where r.fleet_id = $1 and r.hub_id = $3 and r.device_id = p.device_id)
            order by p.device_id limit $5"#,
        fleet,
        source,
        target,
        after,
        limit,
        tries_all
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// How a standby stands to its authority.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// Devices at the authority.
    pub(crate) source_count: i64,
    /// Devices that are equal at both.
    pub(crate) equal_count: i64,
    /// Devices at which the standby has yet to follow, without those that cannot carry over.
    pub(crate) pending_count: i64,
    /// Those of them that changed at the authority after the time that was asked about.
    pub(crate) newer_count: i64,
    /// Devices that only the standby has, that were never verified equal and that nobody deleted:
    /// they are kept. Those that an adoption left there are not counted.
    pub(crate) extra_count: i64,
}

/// Counts how a standby stands to its authority; what changed after `since` is counted apart.
pub(crate) async fn standing(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
    since: OffsetDateTime,
) -> Result<Standing, StoreError> {
    let row = sqlx::query!(
        r#"with s as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $2 and missing_count = 0),
           t as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $3 and missing_count = 0),
           l as (select device_id from registry.left_out($1, $2, $3)),
           pair as (
               select s.device_id is not null as at_source,
                      t.device_id is not null as at_target,
                      l.device_id is not null as is_left_out,
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
                      b.device_id is not null
                          or exists (select from registry.observed m
                                      where m.fleet_id = $1 and m.hub_id = $2
                                        and m.device_id = t.device_id and m.missing_count > 0)
                          or exists (select from registry.tombstone d
                                      where d.fleet_id = $1 and d.device_id = t.device_id
                                        and d.incarnation >= t.incarnation
                                        and $2 = any(d.acked_by)) as was_known,
                      s.device_id is null
                          and exists (select from registry.accepted_extra x
                                       where x.fleet_id = $1 and x.hub_id = $3
                                         and x.device_id = t.device_id
                                         and x.generation_id = t.generation_id) as is_accepted,
                      coalesce(s.read_time > $4, false)
                          or s.device_id is null
                             and exists (select from registry.tombstone d
                                          where d.fleet_id = $1 and d.device_id = t.device_id
                                            and d.incarnation >= t.incarnation
                                            and $2 = any(d.acked_by)
                                            and d.create_time > $4) as is_newer
                 from s full join t on t.device_id = s.device_id
                 left join registry.base b
                   on b.fleet_id = $1 and b.hub_id = $3
                  and b.device_id = coalesce(s.device_id, t.device_id)
                 left join l on l.device_id = coalesce(s.device_id, t.device_id))
           select count(*) filter (where at_source) as "source!",
                  count(*) filter (where is_equal) as "equal!",
                  count(*) filter (where not is_left_out
                                     and (at_source and not is_equal
                                          or not at_source and was_known)) as "pending!",
                  count(*) filter (where not is_left_out
                                     and (at_source and not is_equal
                                          or not at_source and was_known)
                                     and is_newer) as "newer!",
                  count(*) filter (where not is_left_out and not at_source
                                     and not was_known and not is_accepted) as "extra!"
             from pair"#,
        fleet,
        source,
        target,
        since
    )
    .fetch_one(executor)
    .await?;
    Ok(Standing {
        source_count: row.source,
        equal_count: row.equal,
        pending_count: row.pending,
        newer_count: row.newer,
        extra_count: row.extra,
    })
}

/// Two hubs compared.
#[derive(Debug, Clone)]
pub(crate) struct Comparison {
    pub(crate) source_count: i64,
    pub(crate) target_count: i64,
    pub(crate) source_digest: Fingerprint,
    pub(crate) target_digest: Fingerprint,
    pub(crate) differing_count: i64,
    /// At most 100 of them, by id.
    pub(crate) differing: Vec<String>,
}

/// Compares two hubs: every record that can carry over, extras included but for those that an
/// adoption left. Where a hold makes two records equal in effect they count alike in both digests.
pub(crate) async fn compare(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
) -> Result<Comparison, StoreError> {
    let row = sqlx::query!(
        r#"with s as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $2 and missing_count = 0),
           t as (
               select * from registry.observed
                where fleet_id = $1 and hub_id = $3 and missing_count = 0),
           l as (select device_id from registry.left_out($1, $2, $3)),
           pair as (
               select coalesce(s.device_id, t.device_id) as device_id,
                      s.fingerprint as source_print, t.fingerprint as target_print,
                      l.device_id is not null as is_left_out,
                      case when b.hold is null
                           then coalesce(s.fingerprint = t.fingerprint, false)
                           else coalesce((not t.enabled or strpos(t.device_id, '/') > 0)
                                    and s.credential_kind = t.credential_kind
                                    and s.credential_fingerprint = t.credential_fingerprint
                                    and s.iot_edge = t.iot_edge
                                    and s.managed_by is not distinct from t.managed_by
                                    and s.parent is not distinct from t.parent
                                    and s.status_reason is not distinct from t.status_reason
                                    and s.tags = t.tags and s.desired = t.desired, false)
                       end as is_equal
                 from s full join t on t.device_id = s.device_id
                 left join registry.base b
                   on b.fleet_id = $1 and b.hub_id = $3
                  and b.device_id = coalesce(s.device_id, t.device_id)
                 left join l on l.device_id = coalesce(s.device_id, t.device_id)
                where s.device_id is not null
                   or not exists (select from registry.accepted_extra x
                                   where x.fleet_id = $1 and x.hub_id = $3
                                     and x.device_id = t.device_id
                                     and x.generation_id = t.generation_id))
           select count(source_print) as "source!", count(target_print) as "target!",
                  count(*) filter (where not is_equal and not is_left_out) as "differing!",
                  coalesce((array_agg(device_id order by device_id)
                            filter (where not is_equal and not is_left_out))[1:100], '{}')
                      as "sample!",
                  bit_xor(('x' || encode(case when is_equal then target_print
                                              else source_print end, 'hex'))::bit(128))
                      filter (where is_equal or not is_left_out)::text as source_digest,
                  bit_xor(('x' || encode(target_print, 'hex'))::bit(128))
                      filter (where is_equal or not is_left_out)::text as target_digest
             from pair"#,
        fleet,
        source,
        target
    )
    .fetch_one(executor)
    .await?;
    Ok(Comparison {
        source_count: row.source,
        target_count: row.target,
        source_digest: digest_of_bits(row.source_digest.as_deref())?,
        target_digest: digest_of_bits(row.target_digest.as_deref())?,
        differing_count: row.differing,
        differing: row.sample,
    })
}
