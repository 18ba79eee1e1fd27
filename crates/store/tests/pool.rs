//! A cluster of several hosts, some of which are silent.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use hubshift_store::{Database, PoolConfig};
use hubshift_testkit::pg::{Database as TestDatabase, Role};
use tokio::net::TcpListener;

#[tokio::test]
async fn the_third_host_is_found_behind_two_that_swallow_everything() {
    let served = TestDatabase::fresh().await.unwrap();
    // They take connections, and never answer.
    let silent = [
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    ];
    let mut urls: Vec<String> = silent
        .iter()
        .map(|host| format!("postgres://x@{}/x", host.local_addr().unwrap()))
        .collect();
    urls.push(served.url(Role::Concierge));
    let config = PoolConfig {
        urls: urls.join(" "),
        max_connections: 1,
        application: "test",
    };
    let database = Database::lazy(&config).unwrap();
    let found = tokio::time::timeout(Duration::from_secs(20), database.repoint());
    found.await.unwrap().unwrap();
    database.pool().acquire().await.unwrap();
}
