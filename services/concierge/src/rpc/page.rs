//! Pages of a list.

use hubshift_api::validate::Checks;
use hubshift_store::page;
use serde::de::DeserializeOwned;

/// Reads a page token of the named list; a foreign one is a violation.
pub(super) fn token<T: DeserializeOwned>(
    checks: &mut Checks,
    list: &str,
    token: &str,
) -> Option<T> {
    page::parse(list, token).unwrap_or_else(|error| {
        checks.violation("page_token", error.to_string());
        None
    })
}
