//! Listing conflicts.

use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;
use hubshift_store::StoreError;
use uuid::Uuid;

use super::{App, MergeError, view};
use crate::store::conflict::{self, Filter};

/// Where a page of conflicts ends: key, path, id.
pub(crate) type Cursor = (String, String, Uuid);

/// Which conflicts are wanted.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) fleet: FleetId,
    pub(crate) filter: Filter,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: i64,
}

impl App {
    /// A page of conflicts by key and path, and where the next one starts.
    pub(crate) async fn list_conflicts(
        &self,
        wanted: Wanted,
    ) -> Result<(Vec<pb::Conflict>, Option<Cursor>), MergeError> {
        let Wanted {
            fleet,
            filter,
            after,
            limit,
        } = wanted;
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let fleet = fleet.as_str();
        let mut rows = conflict::page(&mut connection, fleet, &filter, after, limit + 1).await?;
        let has_more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let last = rows.last().filter(|_| has_more);
        let last = last.map(|row| (row.key.clone(), row.path.clone(), row.conflict_id));
        Ok((rows.iter().map(view::conflict).collect(), last))
    }
}
