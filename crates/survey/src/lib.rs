//! A survey: what two hubs hold, how they differ, what will not carry over, how long a move takes.
//!
//! Owns the reading of a hub for people who have not adopted anything yet, and the words for it.
//! Nothing here is durable.
//!
//! Keeps true: a survey sends no write. What it says of single keys comes from the hubs' listings,
//! which may be old; every difference that it names was confirmed by a fresh read, up to a limit
//! that it states.

mod compare;
mod fidelity;
mod hub;
mod print;
mod read;
mod seen;
mod storage;
mod times;

pub use compare::{Comparison, Difference, Field, ScopeChange, compare};
pub use fidelity::{Counts, Loss, losses, losses_of};
pub use hub::{HubFacts, Reading, SurveyError, look};
pub use read::{Checked, confirm, keys_differ};
pub use seen::{Seen, Side};
pub use storage::{StorageAccess, storage_access};
pub use times::{Quota, Times, times};
