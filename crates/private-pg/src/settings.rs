//! What a caller can choose about its cluster.

use std::path::PathBuf;

/// What a caller can choose about its cluster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The cluster's home; it is reused when it holds a cluster of ours. `None`: a new directory
    /// below the system's temporary one, removed at the end.
    pub data_dir: Option<PathBuf>,
    /// Whether a commit survives a crash of the machine (fsync, full page writes, synchronous
    /// commit). A crash of the server alone loses nothing in either case.
    pub durable: bool,
    /// How many connections the server takes.
    pub max_connections: u16,
    /// Where the server's log is appended. `None`: `postgres.log` in the cluster's home.
    pub log_file: Option<PathBuf>,
}

impl Default for Settings {
    /// A throw-away cluster that keeps its commits: 200 connections.
    fn default() -> Self {
        Self {
            data_dir: None,
            durable: true,
            max_connections: 200,
            log_file: None,
        }
    }
}

impl Settings {
    /// A throw-away cluster that trades durability for speed: for tests.
    #[must_use]
    pub fn throw_away() -> Self {
        Self {
            durable: false,
            ..Self::default()
        }
    }
}
