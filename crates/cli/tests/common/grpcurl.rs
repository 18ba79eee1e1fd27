//! A real grpcurl, which `HUBSHIFT_GRPCURL` names. Where it is not set, what needs it is skipped,
//! but not in CI: there it fails.

use std::ffi::OsString;

/// The program; `None` when the test is to be skipped.
pub(crate) fn grpcurl() -> Option<OsString> {
    let program = std::env::var_os("HUBSHIFT_GRPCURL");
    if program.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_ci, "HUBSHIFT_GRPCURL is not set; CI must run grpcurl");
        println!("skipped: HUBSHIFT_GRPCURL is not set");
    }
    program
}
