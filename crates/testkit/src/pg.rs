//! Databases for tests, each its own and as the migrations make it.
//!
//! One server: the one that `HUBSHIFT_TEST_POSTGRES_URL` names (`cargo xtask test` starts one for
//! all test processes), else a private cluster of this process. On it one template, made from
//! `deploy/postgres/roles.sql` and `migrations/` and named after their digest; a test's database
//! is a copy of it, which takes milliseconds. Nothing here is durable.

mod database;
mod role;
mod schema;
mod server;
mod template;

pub use database::Database;
pub use role::Role;
pub use server::{SERVER_VARIABLE, Server, shared};
