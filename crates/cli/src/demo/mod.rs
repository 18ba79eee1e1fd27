//! `hubshift demo`: a fleet loses its hub, moves, lives on the other side, and comes home; an
//! auditor that the product knows nothing of says what was lost.
//!
//! Nothing is durable: the world is thrown away in the end.

mod args;
mod backend;
mod chaos;
mod devices;
mod direct;
mod judge;
mod ledger;
mod operator;
mod own_store;
mod percentiles;
mod report;
mod run;
pub(crate) mod seed;
mod story;

pub(crate) use args::DemoArgs;
pub(crate) use run::run;
