//! The database that the tests' databases are copies of.
//!
//! Its name says what it was made from, and `is_template` that it is whole: a process that died in
//! the middle leaves one that the next process makes anew. An advisory lock lets one process at a
//! time make it.

use anyhow::Context;
use sqlx::{AssertSqlSafe, Connection, PgConnection};

use crate::pg::role::Role;
use crate::pg::schema::Schema;
use crate::pg::server::Server;

/// Any number that nobody else takes for a lock on the server's own database.
const LOCK: i64 = 0x6875_6273_6869_6674;

/// The template's name; makes it first when there is none.
pub(crate) async fn ensure(server: &Server) -> anyhow::Result<String> {
    let schema = Schema::read().await?;
    // With other passwords the roles must be set up again.
    let name = format!(
        "hubshift_template_{}",
        schema.digest(server.role_password())
    );
    let mut admin = server.admin().await?;
    if !is_whole(&mut admin, &name).await? {
        sqlx::query("select pg_advisory_lock($1)")
            .bind(LOCK)
            .execute(&mut admin)
            .await?;
        if !is_whole(&mut admin, &name).await? {
            make(server, &schema, &mut admin, &name).await?;
        }
    }
    // The lock ends with the connection.
    admin.close().await?;
    Ok(name)
}

async fn is_whole(admin: &mut PgConnection, name: &str) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from pg_database where datname = $1 and datistemplate)",
    )
    .bind(name)
    .fetch_one(admin)
    .await
}

async fn make(
    server: &Server,
    schema: &Schema,
    admin: &mut PgConnection,
    name: &str,
) -> anyhow::Result<()> {
    make_roles(server, schema, admin)
        .await
        .context("could not make the roles")?;
    run(
        admin,
        format!("drop database if exists {name} with (force)"),
    )
    .await?;
    run(
        admin,
        format!("create database {name} owner hubshift_migrator"),
    )
    .await?;
    let mut migrator = PgConnection::connect(&server.url(Role::Migrator, name)).await?;
    schema
        .migrations
        .run(&mut migrator)
        .await
        .context("could not migrate")?;
    migrator.close().await?;
    // Nobody connects any more, so a copy never has to wait for somebody to leave.
    run(
        admin,
        format!("alter database {name} with allow_connections false is_template true"),
    )
    .await?;
    Ok(())
}

async fn make_roles(
    server: &Server,
    schema: &Schema,
    admin: &mut PgConnection,
) -> sqlx::Result<()> {
    run(admin, schema.roles.clone()).await?;
    for name in Role::MADE.into_iter().filter_map(Role::name) {
        run(
            admin,
            format!("alter role {name} password '{}'", server.role_password()),
        )
        .await?;
    }
    Ok(())
}

async fn run(admin: &mut PgConnection, sql: String) -> sqlx::Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(admin)
        .await
        .map(|_| ())
}
