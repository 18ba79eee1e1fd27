//! How a watch ends before its watcher does.

use std::time::Duration;

use hubshift_api::fault;
use tonic::{Code, Status};

/// Watchers that are sent away all at once come back within this time, not all at once.
const SPREAD_MS: std::ops::Range<u64> = 100..5_000;

/// Some time within the spread, another one for each watcher.
fn later() -> Duration {
    Duration::from_millis(rand::random_range(SPREAD_MS))
}

/// The process ends.
pub(super) fn shutting_down() -> Status {
    let text = "this concierge is going away; watch another one";
    fault::retry(Code::Unavailable, "SHUTTING_DOWN", text, later())
}

/// The reader took nothing for too long.
pub(super) fn too_slow() -> Status {
    let text = "nothing was read for too long while something waited; watch again and read";
    fault::retry(Code::ResourceExhausted, "WATCHER_TOO_SLOW", text, later())
}

/// There is no room for another one.
pub(super) fn too_many(limit: usize) -> Status {
    let text = format!("this concierge has {limit} watchers already; watch another one");
    fault::retry(Code::ResourceExhausted, "TOO_MANY_WATCHERS", text, later())
}
