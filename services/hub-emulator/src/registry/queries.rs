//! How queries behave, as it was ordered: how they lie, and what the real hub does nobody knows.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Registry;
use crate::options::QueryOptions;

/// How queries behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct QuerySettings {
    /// How old the state is that queries see.
    #[serde(with = "crate::options::duration")]
    pub(crate) lag: Duration,
    /// How much longer they see what is deleted.
    #[serde(with = "crate::options::duration")]
    pub(crate) ghosts: Duration,
    /// The most rows of a page.
    pub(crate) max_page: NonZeroU32,
    /// Whether projections lack `deviceEtag`.
    pub(crate) hide_device_etag: bool,
}

impl Default for QuerySettings {
    fn default() -> Self {
        Self::from(&QueryOptions::default())
    }
}

impl From<&QueryOptions> for QuerySettings {
    fn from(options: &QueryOptions) -> Self {
        Self {
            lag: options.lag,
            ghosts: options.ghosts,
            max_page: options.max_page,
            hide_device_etag: options.hide_device_etag,
        }
    }
}

impl Registry {
    /// How queries behave.
    pub(crate) fn queries(&self) -> QuerySettings {
        self.queries
    }

    /// Says how queries behave from now on.
    pub(crate) fn set_queries(&mut self, settings: QuerySettings) {
        self.echo.set(settings.lag, settings.ghosts);
        self.queries = settings;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn they_are_read_as_they_are_shown_and_what_is_left_out_is_as_ever() {
        let shown = serde_json::to_value(QuerySettings::default()).unwrap();
        let expected =
            json!({"lag": "0s", "ghosts": "0s", "maxPage": 1000, "hideDeviceEtag": false});
        assert_eq!(shown, expected);
        let some = json!({"ghosts": "90m", "maxPage": 7});
        let some: QuerySettings = serde_json::from_value(some).unwrap();
        assert_eq!(some.ghosts, Duration::from_secs(5_400));
        let shown = serde_json::to_value(some).unwrap();
        assert_eq!(
            serde_json::from_value::<QuerySettings>(shown).unwrap(),
            some
        );
        for wrong in [
            json!({"lag": 5}),
            json!({"leg": "5m"}),
            json!({"maxPage": 0}),
        ] {
            assert!(serde_json::from_value::<QuerySettings>(wrong).is_err());
        }
    }
}
