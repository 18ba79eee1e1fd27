//! `registry.left_out`: what does not carry over between two hubs as they are now. Those of it that
//! differ are named; nobody waits for them.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// How many are named.
const NAMED: i64 = 100;

/// What a standby lacks, or has otherwise, and cannot take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) count: u64,
    /// Those of them that lack a parent, or hang on what lacks one.
    pub(crate) orphans: u64,
    /// The first of them by key, each with why: `d/m (DEVICE_DISABLED)`.
    pub(crate) named: Vec<String>,
}

/// What differs between the authority and a standby and is left out.
pub(crate) async fn find(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
) -> Result<LeftOut, StoreError> {
    let rows = sqlx::query!(
        r#"select l.device_id as "device_id!", l.reason as "reason!",
                  count(*) over () as "count!",
                  count(*) filter (where l.reason = 'PARENT_MISSING') over () as "orphans!"
             from registry.left_out($1, $2, $3) l
             left join registry.observed s
               on s.fleet_id = $1 and s.hub_id = $2 and s.device_id = l.device_id
              and s.missing_count = 0
             left join registry.observed t
               on t.fleet_id = $1 and t.hub_id = $3 and t.device_id = l.device_id
              and t.missing_count = 0
            where s.fingerprint is distinct from t.fingerprint
               or s.incarnation is distinct from t.incarnation
            order by l.device_id limit $4"#,
        fleet,
        source,
        target,
        NAMED
    )
    .fetch_all(executor)
    .await?;
    let first = rows.first();
    Ok(LeftOut {
        count: first.map_or(0, |row| unsigned(row.count)),
        orphans: first.map_or(0, |row| unsigned(row.orphans)),
        named: rows
            .iter()
            .map(|row| format!("{} ({})", row.device_id, row.reason))
            .collect(),
    })
}

fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
