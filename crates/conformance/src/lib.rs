//! Holds a hub, real or emulated, against what the connector relies on: one check for each fact.
//!
//! Owns nothing durable. A check makes devices and configurations under a prefix of this run only,
//! and all of them are deleted at the end, whatever happened; what could not be deleted is named.
//! Scheduled jobs cannot be deleted: the hub forgets them after 30 days.
//!
//! What the emulator's reference leaves open is *observed*: reported, and never a failure.

mod ask;
mod check;
mod checks;
mod connection;
mod report;
mod room;
mod run;

pub use check::{Harm, Kind};
pub use checks::count;
pub use connection::SetupError;
pub use report::{Report, Row, Verdict};
pub use run::{Settings, run};
