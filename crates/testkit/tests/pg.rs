//! A test's database is as the migrations make it, and the test's own.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use hubshift_testkit::pg::{Database, Role, shared};
use sqlx::PgPool;

async fn exists(pool: &PgPool, sql: &'static str, name: &str) -> bool {
    sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_fresh_database_has_what_the_migrations_make_and_the_roles_get_in() {
    let database = Database::fresh().await.unwrap();
    for role in [
        Role::Superuser,
        Role::Concierge,
        Role::Registry,
        Role::Merge,
    ] {
        let pool = database.connect(role).await.unwrap();
        let sql = "select exists (select from pg_namespace where nspname = $1)";
        assert!(
            exists(&pool, sql, "authority").await,
            "{role:?} finds no schema authority"
        );
    }
}

#[tokio::test]
async fn what_one_test_writes_no_other_sees() {
    let (one, other) = (
        Database::fresh().await.unwrap(),
        Database::fresh().await.unwrap(),
    );
    let pool = one.connect(Role::Superuser).await.unwrap();
    sqlx::query("create table public.mine (n int)")
        .execute(&pool)
        .await
        .unwrap();
    let other = other.connect(Role::Superuser).await.unwrap();
    let sql = "select to_regclass($1) is not null";
    assert!(exists(&pool, sql, "public.mine").await);
    assert!(!exists(&other, sql, "public.mine").await);
}

#[tokio::test]
async fn a_dropped_database_is_gone_though_somebody_is_connected() {
    let kept = Database::fresh().await.unwrap();
    let dropped = Database::fresh().await.unwrap();
    let _connected = dropped.connect(Role::Merge).await.unwrap();
    let name = dropped.name.clone();
    drop(dropped);
    let pool = kept.connect(Role::Superuser).await.unwrap();
    let sql = "select exists (select from pg_database where datname = $1)";
    assert!(exists(&pool, sql, &kept.name).await);
    assert!(!exists(&pool, sql, &name).await);
}

#[tokio::test]
async fn tests_that_start_together_share_one_template() {
    let server = shared().await.unwrap();
    let together = tokio::join!(
        Database::on(server),
        Database::on(server),
        Database::on(server)
    );
    for database in [together.0, together.1, together.2] {
        database.unwrap();
    }
}
