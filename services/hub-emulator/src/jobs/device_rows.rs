//! The rows of `devices.jobs`.

use serde_json::Value;

use super::Jobs;

impl Jobs {
    /// What each scheduled job did to each of its devices, in an order in which new rows come
    /// last: pages count rows.
    pub(crate) fn device_rows(&self) -> Vec<Value> {
        // There are no scheduled jobs.
        Vec::new()
    }
}
