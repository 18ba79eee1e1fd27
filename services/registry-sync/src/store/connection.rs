//! `registry.connection`: how each hub is reached, by reference, how much of its quota may be used,
//! and how its last call went; with it, how the hub's fence stands.

use hubshift_domain::fence::FenceState;
use hubshift_store::StoreError;
use sqlx::PgExecutor;
use time::OffsetDateTime;

/// A connection's row.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionRow {
    pub(crate) hub_id: String,
    pub(crate) adapter: String,
    pub(crate) secret_ref: String,
    pub(crate) ca_ref: String,
    pub(crate) host: String,
    pub(crate) contact_time: Option<OffsetDateTime>,
    pub(crate) last_error: String,
    pub(crate) revision: i64,
    pub(crate) tier: String,
    pub(crate) units: i32,
    pub(crate) share_percent: i32,
    pub(crate) daily_message_percent: i32,
    pub(crate) job_container_ref: String,
    pub(crate) management_ref: String,
    pub(crate) without_modules: bool,
    pub(crate) without_configurations: bool,
    /// As stored; nothing where there is none.
    pub(crate) fence: Option<String>,
}

/// How much of a hub's quota an operator allows us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// `S1`; empty while nobody said it.
    pub(crate) tier: String,
    pub(crate) units: i32,
    /// Of every class of calls.
    pub(crate) share_percent: i32,
    /// Of the messages a day, for the answers to queries.
    pub(crate) daily_message_percent: i32,
}

impl Default for Allowance {
    fn default() -> Self {
        Self {
            tier: String::new(),
            units: 1,
            share_percent: 50,
            daily_message_percent: 5,
        }
    }
}

/// What an operator sets.
#[derive(Debug, Clone)]
pub(crate) struct NewConnection<'a> {
    pub(crate) adapter: &'a str,
    pub(crate) secret_ref: &'a str,
    pub(crate) ca_ref: &'a str,
    pub(crate) host: &'a str,
    pub(crate) allowance: &'a Allowance,
    pub(crate) job_container_ref: &'a str,
    pub(crate) management_ref: &'a str,
    pub(crate) without_modules: bool,
    pub(crate) without_configurations: bool,
}

impl ConnectionRow {
    /// How much of the hub's quota is ours.
    pub(crate) fn allowance(&self) -> Allowance {
        Allowance {
            tier: self.tier.clone(),
            units: self.units,
            share_percent: self.share_percent,
            daily_message_percent: self.daily_message_percent,
        }
    }

    /// How the hub's fence stands. A state that is newer than this binary is none.
    pub(crate) fn fence(&self) -> Option<FenceState> {
        self.fence.as_deref().and_then(FenceState::parse)
    }

    /// Whether the hub is shut out, or may be.
    pub(crate) fn is_fenced(&self) -> bool {
        self.fence().is_some_and(FenceState::may_be_shut)
    }
}

/// One connection.
pub(crate) async fn get(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<Option<ConnectionRow>, StoreError> {
    let row = sqlx::query_as!(
        ConnectionRow,
        r#"select c.hub_id, c.adapter, c.secret_ref, c.ca_ref, c.host, c.contact_time, c.last_error,
                  c.revision, c.tier, c.units, c.share_percent, c.daily_message_percent,
                  c.job_container_ref, c.management_ref, c.without_modules,
                  c.without_configurations,
                  (select f.state from registry.fence f
                    where f.fleet_id = c.fleet_id and f.hub_id = c.hub_id) as "fence?"
             from registry.connection c where c.fleet_id = $1 and c.hub_id = $2"#,
        fleet,
        hub
    )
    .fetch_optional(executor)
    .await?;
    Ok(row)
}

/// A fleet's connections.
pub(crate) async fn list(
    executor: impl PgExecutor<'_>,
    fleet: &str,
) -> Result<Vec<ConnectionRow>, StoreError> {
    let rows = sqlx::query_as!(
        ConnectionRow,
        r#"select c.hub_id, c.adapter, c.secret_ref, c.ca_ref, c.host, c.contact_time, c.last_error,
                  c.revision, c.tier, c.units, c.share_percent, c.daily_message_percent,
                  c.job_container_ref, c.management_ref, c.without_modules,
                  c.without_configurations,
                  (select f.state from registry.fence f
                    where f.fleet_id = c.fleet_id and f.hub_id = c.hub_id) as "fence?"
             from registry.connection c where c.fleet_id = $1 order by c.hub_id"#,
        fleet
    )
    .fetch_all(executor)
    .await?;
    Ok(rows)
}

/// Hubs of all fleets that did not answer last time, or that nobody asked for `seconds`.
pub(crate) async fn silent(
    executor: impl PgExecutor<'_>,
    seconds: f64,
) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query!(
        "select fleet_id, hub_id from registry.connection
          where last_error <> '' or contact_time is null
             or contact_time < clock_timestamp() - make_interval(secs => $1)
          order by fleet_id, hub_id",
        seconds
    )
    .fetch_all(executor)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.fleet_id, row.hub_id))
        .collect())
}

/// Creates or replaces a connection; the revision rises with every change.
pub(crate) async fn put(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    new: &NewConnection<'_>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into registry.connection as c
             (fleet_id, hub_id, adapter, secret_ref, ca_ref, host, tier, units, share_percent,
              daily_message_percent, job_container_ref, management_ref, without_modules,
              without_configurations)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
         on conflict on constraint registry_connection_pk do update
            set adapter = excluded.adapter, secret_ref = excluded.secret_ref,
                ca_ref = excluded.ca_ref, host = excluded.host, tier = excluded.tier,
                units = excluded.units, share_percent = excluded.share_percent,
                daily_message_percent = excluded.daily_message_percent,
                job_container_ref = excluded.job_container_ref,
                management_ref = excluded.management_ref,
                without_modules = excluded.without_modules,
                without_configurations = excluded.without_configurations, revision = c.revision + 1,
                update_time = clock_timestamp()",
        fleet,
        hub,
        new.adapter,
        new.secret_ref,
        new.ca_ref,
        new.host,
        new.allowance.tier,
        new.allowance.units,
        new.allowance.share_percent,
        new.allowance.daily_message_percent,
        new.job_container_ref,
        new.management_ref,
        new.without_modules,
        new.without_configurations
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that the hub answered. Writes at most once a second while all is well.
pub(crate) async fn note_answer(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.connection set contact_time = clock_timestamp(), last_error = ''
          where fleet_id = $1 and hub_id = $2
            and (last_error <> '' or contact_time is null
                 or contact_time < clock_timestamp() - interval '1 second')",
        fleet,
        hub
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes why the hub did not answer.
pub(crate) async fn note_error(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    error: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.connection set last_error = $3
          where fleet_id = $1 and hub_id = $2 and last_error <> $3",
        fleet,
        hub,
        error
    )
    .execute(executor)
    .await?;
    Ok(())
}
