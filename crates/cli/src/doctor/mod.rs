//! `hubshift doctor`: two hubs, no database, no service, no write: one page to read before
//! anything is adopted.

mod args;
mod report;
mod run;
mod text;

pub(crate) use args::DoctorArgs;
pub(crate) use run::run;
