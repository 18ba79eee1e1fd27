//! A private PostgreSQL cluster that never outlives the command that started it.
//!
//! `hubshift up`, the demo and the tests run on one: from the PostgreSQL of the machine (installed
//! first when there is none), as an ordinary user or as root, on a free port of 127.0.0.1, behind a
//! password of its own. However the command ends, SIGKILL included, the server ends with it; a home
//! that was made up is removed, one that the caller named is kept and can be reopened.

mod account;
mod cluster;
mod error;
mod find;
mod guard;
mod home;
mod initdb;
mod install;
mod launch;
mod random;
mod settings;

pub use cluster::Cluster;
pub use error::PgError;
pub use find::{Installation, find};
pub use install::ensure_installed;
pub use settings::Settings;
