//! Where devices stand in the hierarchy of gateways, and the order in which they are applied.

use hubshift_domain::id::device_of_module;
use hubshift_domain::merge::Along;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

/// A device's place in the hierarchy.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) device: String,
    /// Whether it lives after the merge.
    pub(crate) is_live: bool,
    /// Its parent after the merge; of one that goes, the parent that it had.
    pub(crate) parent: Option<String>,
    pub(crate) scope_fault: Option<String>,
    /// Whether a conflict holds it after the merge.
    pub(crate) is_held: bool,
    /// How it goes along with its device, if it is a module.
    pub(crate) along: Option<String>,
    pub(crate) rank: i32,
}

impl Place {
    /// The device that must be there for this one to be: the parent, or of a module its device.
    pub(crate) fn above(&self) -> Option<&str> {
        self.parent
            .as_deref()
            .or_else(|| device_of_module(&self.device))
    }
}

/// The places of all devices of a merge.
pub(crate) async fn places(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<Vec<Place>, StoreError> {
    let places = sqlx::query_as!(
        Place,
        r#"select device_id as device, coalesce(merged ? 'live', false) as "is_live!",
                  case when merged ? 'live' then merged -> 'live' -> 'record' ->> 'parent'
                       else coalesce(triple -> 'secondary' -> 'live' -> 'record' ->> 'parent',
                                     triple -> 'primary' -> 'live' -> 'record' ->> 'parent')
                   end as parent,
                  scope_fault, (merged -> 'live' ->> 'hold') is not null as "is_held!", along, rank
             from merge.item where merge_id = $1"#,
        merge_id
    )
    .fetch_all(connection)
    .await?;
    Ok(places)
}

/// The modules of a device that go along with it.
pub(crate) async fn going_along(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
) -> Result<Vec<String>, StoreError> {
    let modules = sqlx::query_scalar!(
        "select device_id from merge.item
          where merge_id = $1 and along is not null and split_part(device_id, '/', 1) = $2
          order by device_id",
        merge_id,
        device
    )
    .fetch_all(connection)
    .await?;
    Ok(modules)
}

/// Says how a module goes along with its device.
pub(crate) async fn set_along(
    connection: &mut PgConnection,
    merge_id: Uuid,
    module: &str,
    along: Option<Along>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item set along = $3 where merge_id = $1 and device_id = $2",
        merge_id,
        module,
        along.map(Along::as_str)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes the order in which items are applied.
pub(crate) async fn set_ranks(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
    ranks: &[i32],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item i set rank = d.rank
           from unnest($2::text[], $3::integer[]) as d (device_id, rank)
          where i.merge_id = $1 and i.device_id = d.device_id",
        merge_id,
        devices,
        ranks
    )
    .execute(connection)
    .await?;
    Ok(())
}
