//! Durable workflows: steps that survive any crash, run by any replica, never by two at once.
//!
//! ```text
//! running ──▶ succeeded
//!    │ rejected or cancelled, before the point of no return
//!    ▼
//! unwinding ──▶ failed | cancelled        an undo that keeps failing ──▶ stuck
//! ```
//!
//! Past the point of no return a running one can be set aside for another one (`failed`, reason
//! `SUPERSEDED`) and taken up again.
//!
//! Durable: `flow.workflow` and `flow.event`. Kept true: a step's start is journaled before its
//! first effect; every write of an executor is guarded by the fence that it claimed; past the
//! point of no return a workflow only moves forward. A step runs at least once and must bear it.

mod engine;
mod execute;
mod handle;
mod store;
mod supersede;
mod workflow;

pub use engine::{Engine, EngineConfig};
pub use handle::{Start, Status, StepEvent, WorkflowState};
pub use handle::{find_active, get, list, prune, request_cancel, start, wake};
pub use supersede::{SUPERSEDED, has_superseded, resume, supersede};
pub use workflow::{Next, Progress, StepCx, StepError, Workflow};
