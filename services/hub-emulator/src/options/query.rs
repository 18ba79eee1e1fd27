//! How queries lie: lag and ghosts.

use std::time::Duration;

use super::duration;

/// How queries lie: lag and ghosts.
#[derive(Clone, Debug, Default, clap::Args)]
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
    }
}
