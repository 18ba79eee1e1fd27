//! Where merging stands for a fleet: what a failover asks before it goes home.

use hubshift_domain::epoch::Epoch;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::store::unsigned;

/// Where merging stands for a fleet, or for one recovered hub of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// The merge that is not over, and its state.
    pub(crate) active: Option<(Uuid, String)>,
    /// The newest closed one, and its epoch.
    pub(crate) closed: Option<(Uuid, Epoch)>,
    /// Whether the newest one found the hub rewound.
    pub(crate) rewound: bool,
    /// Conflicts that hold a device.
    pub(crate) held: u64,
}

/// Reads where merging stands; `hub` empty for any.
pub(crate) async fn standing(
    connection: &mut PgConnection,
    fleet: &str,
    hub: &str,
) -> Result<Standing, StoreError> {
    let rows = sqlx::query!(
        r#"select merge_id, state, epoch, rewound from merge.merge
          where fleet_id = $1 and ($2 = '' or primary_hub_id = $2)
            and (state in ('planning', 'planned', 'applying', 'verifying')
                 or merge_id = (select max(merge_id::text collate "C")::uuid from merge.merge
                                 where fleet_id = $1 and ($2 = '' or primary_hub_id = $2))
                 or merge_id = (select max(merge_id::text collate "C")::uuid from merge.merge
                                 where fleet_id = $1 and ($2 = '' or primary_hub_id = $2)
                                   and state = 'closed'))
          order by merge_id desc"#,
        fleet,
        hub
    )
    .fetch_all(&mut *connection)
    .await?;
    let mut standing = Standing {
        rewound: rows.first().is_some_and(|row| row.rewound),
        ..Standing::default()
    };
    for row in rows {
        match row.state.as_str() {
            "failed" => {}
            "closed" if standing.closed.is_none() => {
                standing.closed = Some((row.merge_id, Epoch::from_i64(row.epoch)));
            }
            "closed" => {}
            _ => standing.active = Some((row.merge_id, row.state)),
        }
    }
    let held = sqlx::query_scalar!(
        r#"select count(*) as "count!" from merge.conflict
            where fleet_id = $1 and scope = 'device' and state = 'held'"#,
        fleet
    )
    .fetch_one(connection)
    .await?;
    standing.held = unsigned(held);
    Ok(standing)
}
