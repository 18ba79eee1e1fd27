//! What is wrong before anything runs, and what services say of a surrounding that is not as it
//! should be: exit code, stable reason, what to do next.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use common::{Folder, PATIENCE, Ran, Serving, Up, hubshift, run, serving, until, wait_for};
use hubshift_shell::shutdown::STOP_ON_STDIN_EOF;
use hubshift_testkit::pg::{Database, Role};

/// Nobody listens there.
const NO_DATABASE: &str = "postgres://nobody@127.0.0.1:1/nothing";
const SERVICES: [&str; 3] = ["concierge", "registry-sync", "merge"];

#[test]
fn a_malformed_device_file_is_refused_whole_and_every_bad_line_named() {
    let folder = Folder::new();
    let good =
        r#"{"id":"good-1","status":"enabled","authentication":{"type":"certificateAuthority"}}"#;
    let lines = [
        good,
        r#"{"id":"cut short""#,
        r#"{"id":"two words","status":"enabled"}"#,
        r#"{"id":"undecided","status":"maybe"}"#,
        good,
    ];
    folder.write("bad.txt", &lines.join("\n"));
    for line in [
        "up --dir world --input bad.txt",
        "demo --keep world --input bad.txt",
    ] {
        let refused = begun(&folder, line).refused(64, "bad.txt");
        for (line, why) in [
            ("line 2: ", "JSON"),
            ("line 3: ", "character"),
            ("line 4: ", "enabled, disabled"),
            ("line 5: ", "line 1"),
        ] {
            let named = refused.stderr.lines().find(|said| said.starts_with(line));
            assert!(
                named.is_some_and(|said| said.contains(why)),
                "{line}{why}: {refused}"
            );
        }
        assert!(!refused.stderr.contains("line 1: "), "{refused}");
        assert!(
            !folder.root().join("world").exists(),
            "nothing was begun: {refused}"
        );
    }
    begun(&folder, "up --dir world --input none.txt").refused(64, "none.txt");
    begun(&folder, "demo --devices 0").refused(64, "--devices");
}

fn begun(folder: &Folder, line: &str) -> Ran {
    run(
        hubshift(folder.root()).args(line.split_whitespace()),
        PATIENCE,
    )
}

/// A service's configuration, and the address of its inner listener.
struct Setup {
    config: PathBuf,
    address: String,
}

/// Everything at free ports but the inner listener, which is where it is told.
fn setup(folder: &Folder, service: &str, address: &str, database_url: &str) -> Setup {
    let here = folder.root().display();
    let own = match service {
        "concierge" => format!(
            "public_listen = '127.0.0.1:0'\noperator_listen = '{address}'\ndata_dir = '{here}/data'"
        ),
        "registry-sync" => format!(
            "listen = '{address}'\nkek = 'file:{here}/kek'\nbackup_key = 'file:{here}/backup-key'\n\
             create_keys = true"
        ),
        _ => format!("listen = '{address}'"),
    };
    let text = format!("{own}\nadmin_listen = '127.0.0.1:0'\ndatabase_url = '{database_url}'\n");
    Setup {
        config: folder.write(&format!("{service}.toml"), &text),
        address: address.to_owned(),
    }
}

/// A port that was free a moment ago.
fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

fn service(folder: &Folder, service: &str, config: &Path) -> std::process::Command {
    let mut command = hubshift(folder.root());
    command.args(["service", service, "--config"]).arg(config);
    command
}

#[test]
fn a_taken_port_is_named_and_another_one_asked_for() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = format!("port {} on 127.0.0.1 is taken", address.port());
    for name in SERVICES {
        let setup = setup(&folder, name, &address.to_string(), NO_DATABASE);
        let refused = run(&mut service(&folder, name, &setup.config), PATIENCE);
        let refused = refused.refused(69, "PORT_UNAVAILABLE");
        assert!(refused.stderr.contains(&port), "{name}: {refused}");
        assert!(
            refused.stderr.contains("configure another port"),
            "{name}: {refused}"
        );
    }
    let line =
        format!("service hub-emulator --listen {address} --hostname localhost --tls-dir tls");
    let key = format!("--policy=iothubowner:{}", "QUJD".repeat(11));
    let refused = run(
        hubshift(folder.root()).args(line.split(' ')).arg(key),
        PATIENCE,
    );
    refused.refused(69, &address.port().to_string());
}

#[test]
fn operators_beyond_loopback_need_mutual_tls() {
    let folder = Folder::new();
    let setup = setup(&folder, "concierge", "0.0.0.0:0", NO_DATABASE);
    let refused = run(&mut service(&folder, "concierge", &setup.config), PATIENCE);
    let refused = refused.refused(64, "operator_listen 0.0.0.0:0");
    assert!(
        refused.stderr.contains("operator_tls with client_ca"),
        "{refused}"
    );
}

/// A service that runs; it is killed with this value.
struct Running(Child);

impl Running {
    fn start(folder: &Folder, name: &str, config: &Path) -> Self {
        let log = std::fs::File::create(folder.root().join(format!("{name}.log"))).unwrap();
        let mut command = service(folder, name, config);
        let command = command.env(STOP_ON_STDIN_EOF, "1").stdin(Stdio::piped());
        Self(command.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn without_a_database_services_start_and_say_that_they_do_not_serve() {
    let folder = Folder::new();
    for name in SERVICES {
        let setup = setup(&folder, name, &free_address(), NO_DATABASE);
        let mut running = Running::start(&folder, name, &setup.config);
        let says_so = || (serving(&setup.address) == Serving::No).then_some(());
        until(&format!("{name} says NOT_SERVING"), PATIENCE, says_so);
        let line = match name {
            "concierge" => format!("fleet list --concierge http://{}", setup.address),
            "registry-sync" => format!("sync status --registry http://{}", setup.address),
            _ => format!("merge list --merge http://{}", setup.address),
        };
        let refused = begun(&folder, &format!("{line} --fleet acme --retry-for 0s"));
        refused.refused(69, "DATABASE_UNAVAILABLE");
        assert!(running.is_alive(), "{name} gave up");
    }
}

#[test]
fn a_schema_that_is_newer_than_the_binary_is_not_worked_on() {
    let folder = Folder::new();
    let database = wait_for(from_the_future());
    let setup = setup(
        &folder,
        "concierge",
        &free_address(),
        &database.concierge_url(),
    );
    let mut running = Running::start(&folder, "concierge", &setup.config);
    let line = format!(
        "fleet list --retry-for 0s --concierge http://{}",
        setup.address
    );
    until("the concierge refuses", PATIENCE, || {
        let refused = begun(&folder, &line);
        refused
            .stderr
            .contains("SCHEMA_TOO_NEW")
            .then(|| assert_eq!(refused.code, 69))
    });
    assert_eq!(serving(&setup.address), Serving::No);
    assert!(running.is_alive(), "devices are served meanwhile");
}

async fn from_the_future() -> Database {
    let database = Database::fresh().await.unwrap();
    let pool = database.connect(Role::Superuser).await.unwrap();
    sqlx::query(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'from the future', true, '', 0)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    database
}

#[test]
fn a_connection_that_cannot_work_is_refused_and_the_one_that_works_stays() {
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    let world = folder.world().display().to_string();
    let (east, west) = (
        "secrets/east-connection-string",
        "secrets/west-connection-string",
    );
    let text = std::fs::read_to_string(folder.world().join(west)).unwrap();
    let (before, _) = text.rsplit_once("SharedAccessKey=").unwrap();
    let wrong_key = format!("{before}SharedAccessKey={}", "QUJD".repeat(11));
    let wrong_key = folder.write("wrong-key", &wrong_key).display().to_string();
    let connect = |secret: &str, ca: &str| {
        let line = format!("hub connect west --secret-ref file:{secret} --ca-ref file:{ca}");
        up.hubshift(&line)
    };
    let (west, east) = (format!("{world}/{west}"), format!("{world}/{east}"));
    let ca = |hub: &str| format!("{world}/tls/{hub}/ca.pem");
    let shown = up.json("hub get west")["connection"]["secret_ref"].clone();
    for (refused, reason) in [
        (connect(&wrong_key, &ca("west")), "HUB_UNAUTHORIZED"),
        (connect(&west, &ca("east")), "HUB_UNTRUSTED"),
        (connect("/nowhere", &ca("west")), "SECRET_UNREADABLE"),
    ] {
        let refused = refused.refused(75, reason);
        assert!(refused.stderr.contains("\nhint: "), "{refused}");
    }
    // Two hubs that are one and the same are always equal, and a move between them loses a fleet.
    connect(&east, &ca("east")).refused(75, "HUB_HOST_MISMATCH");
    assert_eq!(up.json("hub get west")["connection"]["secret_ref"], shown);
    up.hubshift("hub test west").ok();
    up.interrupt();
}
