//! Exit codes of every Hubshift process, after BSD's `sysexits.h`.
//!
//! Use as `std::process::ExitCode::from(exit::USAGE)`.

/// The command line or the configuration is wrong; starting again will not help.
pub const USAGE: u8 = 64;
/// Something that this process needs (database, port, hub) is not there; try again later.
pub const UNAVAILABLE: u8 = 69;
/// A defect of the program itself.
pub const SOFTWARE: u8 = 70;
/// A second interrupt ended the process at once.
pub const INTERRUPTED: u8 = 130;
