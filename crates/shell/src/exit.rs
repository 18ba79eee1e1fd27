//! Exit codes of every Hubshift process, after BSD's `sysexits.h`.
//!
//! Use as `std::process::ExitCode::from(exit::USAGE)`.

use crate::BindError;

/// The command line or the configuration is wrong; starting again will not help.
pub const USAGE: u8 = 64;
/// Something that this process needs (database, port, hub) is not there; try again later.
pub const UNAVAILABLE: u8 = 69;
/// A defect of the program itself.
pub const SOFTWARE: u8 = 70;
/// A second interrupt ended the process at once.
pub const INTERRUPTED: u8 = 130;

/// What a service exits with that could not serve: a taken port may be free later, a task that
/// broke is a defect, and everything else that keeps one from starting is its configuration.
pub fn of_service(error: &anyhow::Error) -> u8 {
    if error.is::<BindError>() {
        UNAVAILABLE
    } else if error.is::<tokio::task::JoinError>() {
        SOFTWARE
    } else {
        USAGE
    }
}
