//! How queries lie, and what the real hub does nobody knows.

use std::num::NonZeroU32;
use std::time::Duration;

use super::duration;

/// The most rows of a page.
const MAX_PAGE: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// How queries lie, and what the real hub does nobody knows.
#[derive(Clone, Debug, clap::Args)]
pub struct QueryOptions {
    /// How old the state is that queries see, like 5m; reads of a single device are always current
    #[arg(
        id = "query-lag",
        long = "query-lag",
        env = "HUB_EMULATOR_QUERY_LAG",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = duration::parse
    )]
    pub lag: Duration,

    /// How long queries go on listing a deleted device, after the lag
    #[arg(
        id = "query-ghosts",
        long = "query-ghosts",
        env = "HUB_EMULATOR_QUERY_GHOSTS",
        value_name = "DURATION",
        default_value = "0s",
        value_parser = duration::parse
    )]
    pub ghosts: Duration,

    /// The most rows of a page; who asks for more gets so many
    #[arg(
        id = "query-max-page",
        long = "query-max-page",
        env = "HUB_EMULATOR_QUERY_MAX_PAGE",
        value_name = "ROWS",
        default_value_t = MAX_PAGE
    )]
    pub max_page: NonZeroU32,

    /// Leave deviceEtag out of projections
    #[arg(
        id = "query-hide-device-etag",
        long = "query-hide-device-etag",
        env = "HUB_EMULATOR_QUERY_HIDE_DEVICE_ETAG"
    )]
    pub hide_device_etag: bool,
}

impl Default for QueryOptions {
    fn default() -> Self {
        Self {
            lag: Duration::ZERO,
            ghosts: Duration::ZERO,
            max_page: MAX_PAGE,
            hide_device_etag: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        query: QueryOptions,
    }

    fn options(line: &[&str]) -> Result<(Duration, Duration), clap::Error> {
        let line = [&["x"][..], line].concat();
        Cli::try_parse_from(line).map(|cli| (cli.query.lag, cli.query.ghosts))
    }

    #[test]
    fn queries_do_not_lie_unless_they_are_told_to() {
        assert_eq!(options(&[]).unwrap(), (Duration::ZERO, Duration::ZERO));
        let told = options(&["--query-lag", "5m", "--query-ghosts=1h"]).unwrap();
        assert_eq!(told, (Duration::from_secs(300), Duration::from_secs(3600)));
        assert!(options(&["--query-lag", "5"]).is_err());
        assert!(options(&["--query-max-page", "0"]).is_err());
        assert!(options(&["--query-max-page", "5", "--query-hide-device-etag"]).is_ok());
    }
}
