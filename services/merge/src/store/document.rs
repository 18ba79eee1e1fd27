//! Documents with their branches, and the policies of namespaces.

use hubshift_domain::id::FleetId;
use hubshift_domain::metadata::{Branch, NamespacePolicy};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;

/// Where a document is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DocumentKey {
    pub(crate) fleet: FleetId,
    pub(crate) namespace: String,
    pub(crate) key: String,
}

/// A document as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredDocument {
    pub(crate) device: String,
    /// The line of the authority's writes.
    pub(crate) main: Branch,
    /// Concurrent writes that wait for the merge.
    pub(crate) aside: Vec<Branch>,
    /// The main line before the first write of its epoch.
    pub(crate) base: Option<Branch>,
    pub(crate) has_conflicts: bool,
    pub(crate) update_time: OffsetDateTime,
}

impl StoredDocument {
    /// The main line and what waits beside it.
    pub(crate) fn branches(&self) -> Vec<Branch> {
        std::iter::once(&self.main)
            .chain(&self.aside)
            .cloned()
            .collect()
    }
}

/// Reads a document and holds its row until the transaction ends.
pub(crate) async fn lock(
    connection: &mut PgConnection,
    at: &DocumentKey,
) -> Result<Option<StoredDocument>, StoreError> {
    let row = sqlx::query!(
        r#"select device_id, main as "main: Json<Branch>", aside as "aside: Json<Vec<Branch>>",
                  base as "base: Json<Branch>", has_conflicts, update_time
             from merge.document
            where fleet_id = $1 and namespace_id = $2 and document_key = $3 for update"#,
        at.fleet.as_str(),
        at.namespace,
        at.key
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| StoredDocument {
        device: row.device_id,
        main: row.main.0,
        aside: row.aside.0,
        base: row.base.map(|base| base.0),
        has_conflicts: row.has_conflicts,
        update_time: row.update_time,
    }))
}

/// Reads a page of documents after `(namespace, key)`, of one namespace or of all.
pub(crate) async fn page(
    connection: &mut PgConnection,
    fleet: &FleetId,
    namespace: Option<&str>,
    after: Option<(String, String)>,
    limit: i64,
) -> Result<Vec<(DocumentKey, StoredDocument)>, StoreError> {
    let (after_namespace, after_key) = after.unzip();
    let rows = sqlx::query!(
        r#"select namespace_id, document_key, device_id, main as "main: Json<Branch>",
                  aside as "aside: Json<Vec<Branch>>", base as "base: Json<Branch>",
                  has_conflicts, update_time
             from merge.document
            where fleet_id = $1 and ($2::text is null or namespace_id = $2)
              and ($3::text is null or (namespace_id, document_key) > ($3, $4::text))
            order by namespace_id, document_key limit $5"#,
        fleet.as_str(),
        namespace,
        after_namespace,
        after_key,
        limit
    )
    .fetch_all(connection)
    .await?;
    let documents = rows.into_iter().map(|row| {
        let at = DocumentKey {
            fleet: fleet.clone(),
            namespace: row.namespace_id,
            key: row.document_key,
        };
        let document = StoredDocument {
            device: row.device_id,
            main: row.main.0,
            aside: row.aside.0,
            base: row.base.map(|base| base.0),
            has_conflicts: row.has_conflicts,
            update_time: row.update_time,
        };
        (at, document)
    });
    Ok(documents.collect())
}

/// Keys of a fleet's documents that have branches beside the main line.
pub(crate) async fn with_branches(
    connection: &mut PgConnection,
    fleet: &FleetId,
    limit: i64,
) -> Result<Vec<DocumentKey>, StoreError> {
    let rows = sqlx::query!(
        "select namespace_id, document_key from merge.document
          where fleet_id = $1 and aside <> '[]'::jsonb
          order by namespace_id, document_key limit $2",
        fleet.as_str(),
        limit
    )
    .fetch_all(connection)
    .await?;
    let keys = rows.into_iter().map(|row| DocumentKey {
        fleet: fleet.clone(),
        namespace: row.namespace_id,
        key: row.document_key,
    });
    Ok(keys.collect())
}

/// How many documents have branches beside the main line.
pub(crate) async fn count_with_branches(
    connection: &mut PgConnection,
    fleet: &FleetId,
) -> Result<u64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from merge.document
            where fleet_id = $1 and aside <> '[]'::jsonb"#,
        fleet.as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Writes a document that is not there; `false` when it is there by now.
pub(crate) async fn create(
    connection: &mut PgConnection,
    at: &DocumentKey,
    document: &StoredDocument,
) -> Result<bool, StoreError> {
    let done = sqlx::query!(
        "insert into merge.document
                (fleet_id, namespace_id, document_key, device_id, main, aside, base, has_conflicts)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict on constraint merge_document_pk do nothing",
        at.fleet.as_str(),
        at.namespace,
        at.key,
        document.device,
        Json(&document.main) as _,
        Json(&document.aside) as _,
        document.base.as_ref().map(Json) as _,
        document.has_conflicts
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Writes a document whole; the caller holds its row.
pub(crate) async fn save(
    connection: &mut PgConnection,
    at: &DocumentKey,
    document: &StoredDocument,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.document
            set device_id = $4, main = $5, aside = $6, base = $7, has_conflicts = $8,
                update_time = now()
          where fleet_id = $1 and namespace_id = $2 and document_key = $3",
        at.fleet.as_str(),
        at.namespace,
        at.key,
        document.device,
        Json(&document.main) as _,
        Json(&document.aside) as _,
        document.base.as_ref().map(Json) as _,
        document.has_conflicts
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The policy of a namespace; the default when none was set.
pub(crate) async fn policy(
    connection: &mut PgConnection,
    fleet: &FleetId,
    namespace: &str,
) -> Result<NamespacePolicy, StoreError> {
    let policy = sqlx::query_scalar!(
        "select policy from merge.namespace where fleet_id = $1 and namespace_id = $2",
        fleet.as_str(),
        namespace
    )
    .fetch_optional(connection)
    .await?;
    Ok(policy
        .and_then(|name| NamespacePolicy::parse(&name))
        .unwrap_or(NamespacePolicy::JsonLeaf))
}

/// Sets the policy of a namespace.
pub(crate) async fn set_policy(
    connection: &mut PgConnection,
    fleet: &FleetId,
    namespace: &str,
    policy: NamespacePolicy,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into merge.namespace (fleet_id, namespace_id, policy) values ($1, $2, $3)
         on conflict on constraint merge_namespace_pk do update set policy = excluded.policy",
        fleet.as_str(),
        namespace,
        policy.as_str()
    )
    .execute(connection)
    .await?;
    Ok(())
}
