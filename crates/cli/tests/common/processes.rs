//! The processes of a world: their command lines name its folder.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use super::{Folder, until};

/// How long a server that lost its command may take to write everything down.
const WINDING_DOWN: Duration = Duration::from_secs(20);

/// Id and command line of every process of the world, PostgreSQL's included.
fn of(folder: &Folder) -> Vec<(u32, String)> {
    let listed = Command::new("ps")
        .args(["-ww", "-eo", "pid=,args="])
        .output()
        .unwrap();
    assert!(listed.status.success(), "{listed:?}");
    let name = folder.root().display().to_string();
    let text = String::from_utf8_lossy(&listed.stdout);
    let ours = text.lines().filter(|line| line.contains(&name));
    ours.filter_map(|line| {
        let (pid, args) = line.trim_start().split_once(' ')?;
        Some((pid.parse().ok()?, args.to_owned()))
    })
    .collect()
}

/// The process ids of the world's services and hubs, by what tells them apart.
pub(crate) fn services(folder: &Folder) -> BTreeMap<String, u32> {
    let named = |(pid, args): (u32, String)| {
        let (_, what) = args.split_once(" service ")?;
        Some((what.to_owned(), pid))
    };
    of(folder).into_iter().filter_map(named).collect()
}

/// Waits until no process of the world is left: no service, no hub, no PostgreSQL.
#[track_caller]
pub(crate) fn assert_gone(folder: &Folder) {
    let mut left = Vec::new();
    until("every process of the world is gone", WINDING_DOWN, || {
        let now = of(folder);
        if now != left {
            eprintln!("left: {now:#?}");
        }
        left = now;
        left.is_empty().then_some(())
    });
    let pid_file = folder.world().join("postgres/data/postmaster.pid");
    assert!(
        !pid_file.exists(),
        "PostgreSQL left its pid file: it did not end in good order"
    );
}

/// The process id of one of them, `registry-sync`.
#[track_caller]
pub(crate) fn pid_of(folder: &Folder, service: &str) -> u32 {
    let all = services(folder);
    let found = all
        .iter()
        .find(|(name, _)| name.split(' ').next() == Some(service));
    *found.unwrap_or_else(|| panic!("no {service} in {all:?}")).1
}

/// Does something while a service stands still (SIGSTOP) and knows nothing of it.
pub(crate) fn paused<T>(folder: &Folder, service: &str, what: impl FnOnce() -> T) -> T {
    let pid = pid_of(folder, service);
    signal("STOP", pid);
    let _goes_on = Continued(pid);
    what()
}

/// Lets a process go on at the end, also when the test panics.
struct Continued(u32);

impl Drop for Continued {
    fn drop(&mut self) {
        signal("CONT", self.0);
    }
}

/// Sends a signal, `INT`.
pub(crate) fn signal(name: &str, pid: u32) {
    let arguments = [format!("-{name}"), pid.to_string()];
    let sent = Command::new("kill").args(&arguments).status();
    assert!(
        sent.is_ok_and(|status| status.success()),
        "kill {arguments:?}"
    );
}
