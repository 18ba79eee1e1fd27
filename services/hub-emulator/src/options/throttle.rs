//! Quotas and how they are kept.

use hubshift_azure::quota::Tier;

/// How long a call waits for its turn, in seconds of the hub's clock.
const SHAPING: f64 = 10.0;
/// How many calls of a class may wait.
const BACKLOG: usize = 1000;

/// Quotas and how they are kept.
#[derive(Clone, Debug, clap::Args)]
pub struct ThrottleOptions {
    /// Throttle like a hub of this tier: f1, b1, s1, b2, s2, b3 or s3 [default: no throttling]
    #[arg(long, env = "HUB_EMULATOR_TIER", value_name = "TIER")]
    pub tier: Option<Tier>,

    /// How many units of the tier the hub has
    #[arg(
        long,
        env = "HUB_EMULATOR_UNITS",
        value_name = "N",
        default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub units: u32,

    /// How much faster the clock of quotas and of waiting runs: 60 makes a minute's quota a second's
    #[arg(
        long,
        env = "HUB_EMULATOR_THROTTLE_SPEED",
        value_name = "FACTOR",
        default_value_t = 1.0,
        value_parser = factor
    )]
    pub throttle_speed: f64,

    /// How long a call over the rate may wait before it is refused, by that clock
    #[arg(
        long,
        env = "HUB_EMULATOR_SHAPING",
        value_name = "SECONDS",
        default_value_t = SHAPING,
        value_parser = seconds
    )]
    pub shaping: f64,

    /// How many calls of a kind may wait; more are refused at once
    #[arg(
        long,
        env = "HUB_EMULATOR_BACKLOG",
        value_name = "N",
        default_value_t = BACKLOG
    )]
    pub backlog: usize,

    /// Tell refused callers when to come back; the real hub does not
    #[arg(long, env = "HUB_EMULATOR_RETRY_AFTER", value_name = "SECONDS")]
    pub retry_after: Option<u32>,
}

impl Default for ThrottleOptions {
    fn default() -> Self {
        Self {
            tier: None,
            units: 1,
            throttle_speed: 1.0,
            shaping: SHAPING,
            backlog: BACKLOG,
            retry_after: None,
        }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor.is_finite() && factor > 0.0 => Ok(factor),
        _ => Err("must be a number above 0".to_owned()),
    }
}

/// `10`, `0.5` or `3s`.
fn seconds(text: &str) -> Result<f64, String> {
    match text.strip_suffix('s').unwrap_or(text).parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err("must be a number of seconds".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        throttle: ThrottleOptions,
    }

    fn parsed(line: &[&str]) -> Option<ThrottleOptions> {
        let line = ["x"].iter().chain(line);
        Cli::try_parse_from(line).ok().map(|cli| cli.throttle)
    }

    #[test]
    fn a_tier_is_read_in_any_case_and_the_rest_has_defaults() {
        let options = parsed(&["--tier", "s1", "--shaping", "3s"]).unwrap();
        assert_eq!(options.tier, Some(Tier::S1));
        assert_eq!((options.units, options.shaping), (1, 3.0));
        let (said, silent) = (parsed(&[]).unwrap(), ThrottleOptions::default());
        assert_eq!(format!("{said:?}"), format!("{silent:?}"));
    }

    #[test]
    fn what_would_stop_the_clock_is_refused() {
        assert!(parsed(&["--throttle-speed", "0"]).is_none());
        assert!(parsed(&["--throttle-speed", "inf"]).is_none());
        assert!(parsed(&["--shaping", "-1"]).is_none());
        assert!(parsed(&["--units", "0"]).is_none());
        assert!(parsed(&["--tier", "s9"]).is_none());
    }
}
