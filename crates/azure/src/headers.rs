//! Names of the headers that are this API's own, in lower case.

/// The error's name, the reliable way to tell errors apart.
pub const ERROR_CODE: &str = "iothub-errorcode";
/// The hub's id of the request.
pub const REQUEST_ID: &str = "x-ms-request-id";
/// How many rows a query page may have (request).
pub const MAX_ITEM_COUNT: &str = "x-ms-max-item-count";
/// Where the next query page starts (request and answer; absent on the last page).
pub const CONTINUATION: &str = "x-ms-continuation";
/// What a query's rows are: `Twin` or `Raw`.
pub const ITEM_TYPE: &str = "x-ms-item-type";
