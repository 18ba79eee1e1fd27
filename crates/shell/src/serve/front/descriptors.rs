//! How many files the process may have open: a connection is one.
//!
//! Most systems start a process with a soft limit of 1,024 and leave it to the process to raise
//! it, up to the hard limit.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Of all descriptors, the part that stays for everything else: the database, files, other ports.
const KEPT_PART: u64 = 8;

/// Raises the process's limit as far as it may, and returns how many connections it leaves room
/// for.
pub(super) fn room() -> usize {
    let limit = raise();
    usize::try_from(limit - limit / KEPT_PART).unwrap_or(usize::MAX)
}

/// The limit that holds in the end.
fn raise() -> u64 {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            let (limit, hard) = (limit.current, limit.maximum);
            tracing::warn!(%error, limit, hard, "the limit of open files stays");
        }
    }
    // None is no limit.
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_and_an_eighth_is_kept() {
        let room = room();
        let limit = getrlimit(Resource::Nofile);
        let open = limit.current.unwrap_or(u64::MAX);
        assert!(room as u64 <= open - open / 8);
        assert!(room > 0);
    }
}
