//! A private cluster answers, keeps its data as long as it should, and leaves nothing behind.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hubshift_private_pg::{Cluster, PgError, Settings};
use sqlx::{Connection, PgConnection};

/// Whether a process with this id is there.
fn alive(pid: u32) -> bool {
    let kill = Command::new("kill")
        .arg("-0")
        .arg(pid.to_string())
        .stderr(Stdio::null())
        .status();
    kill.unwrap().success()
}

/// Polls until the condition holds; false when it doesn't within `patience`.
fn eventually(patience: Duration, condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

async fn connect(cluster: &Cluster) -> PgConnection {
    PgConnection::connect(&cluster.superuser_url())
        .await
        .unwrap()
}

async fn run(cluster: &Cluster, sql: &'static str) {
    sqlx::query(sql)
        .execute(&mut connect(cluster).await)
        .await
        .unwrap();
}

async fn count(cluster: &Cluster) -> i64 {
    let sql = "select count(*) from kept";
    sqlx::query_scalar(sql)
        .fetch_one(&mut connect(cluster).await)
        .await
        .unwrap()
}

/// A home in a directory that the server's user can enter when the tests run as root.
fn named(place: &tempfile::TempDir) -> Settings {
    std::fs::set_permissions(place.path(), PermissionsExt::from_mode(0o711)).unwrap();
    Settings {
        data_dir: Some(place.path().join("pg")),
        ..Settings::throw_away()
    }
}

#[tokio::test]
async fn answers_those_who_know_the_password_and_leaves_nothing_behind() {
    let cluster = Cluster::start(Settings::throw_away()).await.unwrap();
    let (pid, home) = (cluster.server_pid().unwrap(), cluster.home().to_owned());
    run(&cluster, "select 1").await;
    let stranger = PgConnection::connect(&cluster.url("postgres", "guess", "postgres")).await;
    assert!(stranger.is_err(), "a wrong password was let in");
    cluster.stop().await.unwrap();
    assert!(!alive(pid));
    assert!(!home.exists());
}

#[tokio::test]
async fn dropping_it_stops_the_server_too() {
    let cluster = Cluster::start(Settings::throw_away()).await.unwrap();
    let (pid, home) = (cluster.server_pid().unwrap(), cluster.home().to_owned());
    drop(cluster);
    assert!(!alive(pid));
    assert!(!home.exists());
}

#[tokio::test]
async fn what_was_committed_survives_a_stop_and_a_kill_of_the_server() {
    let mut cluster = Cluster::start(Settings::throw_away()).await.unwrap();
    let url = cluster.superuser_url();
    run(&cluster, "create table kept (n int)").await;
    run(&cluster, "insert into kept values (1)").await;
    cluster.stop_server().await.unwrap();
    assert!(
        PgConnection::connect(&url).await.is_err(),
        "a stopped server answered"
    );
    cluster.start_server().await.unwrap();
    assert_eq!(cluster.superuser_url(), url);
    run(&cluster, "insert into kept values (2)").await;
    cluster.kill_server().await.unwrap();
    cluster.start_server().await.unwrap();
    assert_eq!(count(&cluster).await, 2);
}

#[tokio::test]
async fn a_named_home_is_reopened_with_its_data_and_its_password() {
    let place = tempfile::tempdir().unwrap();
    let cluster = Cluster::start(named(&place)).await.unwrap();
    run(&cluster, "create table kept as select 1 as n").await;
    cluster.stop().await.unwrap();
    let cluster = Cluster::start(named(&place)).await.unwrap();
    assert_eq!(count(&cluster).await, 1);
}

#[tokio::test]
async fn a_second_server_on_the_same_home_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let first = Cluster::start(named(&place)).await.unwrap();
    let second = Cluster::start(named(&place)).await.unwrap_err();
    assert!(matches!(second, PgError::InUse { .. }), "{second}");
    run(&first, "select 1").await;
}

#[tokio::test]
async fn data_of_a_version_that_is_not_installed_is_refused_by_name() {
    let place = tempfile::tempdir().unwrap();
    let settings = named(&place);
    let home = settings.data_dir.clone().unwrap();
    std::fs::create_dir_all(home.join("data")).unwrap();
    std::fs::write(home.join("password"), "secret").unwrap();
    std::fs::write(home.join("data/PG_VERSION"), "9\n").unwrap();
    let refused = Cluster::start(settings).await.unwrap_err();
    assert!(
        matches!(refused, PgError::VersionMismatch { data: 9, .. }),
        "{refused}"
    );
}

#[test]
fn a_killed_command_takes_its_server_and_its_home_along() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_private-pg-hold"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(command.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let [pid, _port, home] = line.split_whitespace().collect::<Vec<_>>()[..] else {
        panic!("the command said {line:?}");
    };
    let (pid, home) = (pid.parse().unwrap(), Path::new(home));
    assert!(alive(pid));
    command.kill().unwrap();
    command.wait().unwrap();
    assert!(
        eventually(Duration::from_secs(10), || !alive(pid)),
        "the server outlived its command"
    );
    assert!(
        eventually(Duration::from_secs(10), || !home.exists()),
        "its home was left behind"
    );
}
