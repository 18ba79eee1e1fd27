//! How the hub throttles: its tier and units, its clock, its queue.

use hubshift_azure::quota::{self, OperationClass, Quota, Tier};
use serde::{Deserialize, Serialize};

use crate::operation::Class;
use crate::options::ThrottleOptions;

use super::bucket::Rate;

/// How the hub throttles. Without a tier it does not.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) tier: Option<Tier>,
    pub(crate) units: u32,
    /// Seconds of the hub's clock that pass in a second.
    pub(crate) speed: f64,
    /// How long a call may wait for its turn, in seconds of the hub's clock.
    pub(crate) shaping: f64,
    /// How many calls of a class may wait.
    pub(crate) backlog: usize,
    /// What refusals say about when to come back, in seconds.
    pub(crate) retry_after: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::from(&ThrottleOptions::default())
    }
}

impl From<&ThrottleOptions> for Settings {
    fn from(options: &ThrottleOptions) -> Self {
        Self {
            tier: options.tier,
            units: options.units,
            speed: options.throttle_speed,
            shaping: options.shaping,
            backlog: options.backlog,
            retry_after: options.retry_after,
        }
    }
}

impl Settings {
    /// What is wrong with them.
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        if self.units == 0 {
            Err("units must be at least 1")
        } else if !(self.speed.is_finite() && self.speed > 0.0) {
            Err("speed must be more than 0")
        } else if !(self.shaping.is_finite() && self.shaping >= 0.0) {
            Err("shaping must be 0 or more seconds")
        } else {
            Ok(())
        }
    }

    pub(crate) fn quota(&self) -> Option<Quota> {
        let units = self.units;
        self.tier.map(|tier| Quota { tier, units })
    }

    /// How many scheduled jobs run at once. Where there is no tier, as on the smallest.
    pub(crate) fn scheduled_jobs(&self) -> usize {
        quota::scheduled_jobs(self.tier.unwrap_or(Tier::S1))
    }

    /// How many configurations the hub has at most.
    pub(crate) fn configurations(&self) -> usize {
        quota::configurations(self.tier.unwrap_or(Tier::S1))
    }

    /// How many calls of a class a second of the hub's clock takes; nothing if it does not count.
    pub(crate) fn rate(&self, class: Class) -> Option<Rate> {
        let quota = self.quota()?;
        let per_second = match class {
            Class::Registry => quota.per_second(OperationClass::Registry),
            Class::Query => quota.per_second(OperationClass::Query),
            Class::TwinRead => quota.per_second(OperationClass::TwinRead),
            Class::TwinWrite => quota.per_second(OperationClass::TwinWrite),
            Class::Job => quota.per_second(OperationClass::Job),
            Class::Configuration => quota.per_second(OperationClass::Configuration),
            Class::Device => quota.sends_per_second(),
            Class::Free => return None,
        };
        Some(Rate(per_second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_on_the_command_line() {
        let settings: Settings = serde_json::from_str(r#"{"tier":"s1","speed":60}"#).unwrap();
        assert_eq!(settings.tier, Some(Tier::S1));
        assert_eq!((settings.units, settings.speed), (1, 60.0));
        assert_eq!((settings.shaping, settings.retry_after), (10.0, None));
        assert!(serde_json::from_str::<Settings>(r#"{"teir":"s1"}"#).is_err());
    }

    #[test]
    fn clocks_that_stand_still_are_refused() {
        let wrong = |text| {
            let settings: Settings = serde_json::from_str(text).unwrap();
            settings.check().is_err()
        };
        assert!(wrong(r#"{"speed":0}"#));
        assert!(wrong(r#"{"shaping":-1}"#));
        assert!(wrong(r#"{"units":0}"#));
        assert!(!wrong("{}"));
    }

    #[test]
    fn without_a_tier_nothing_is_counted() {
        assert_eq!(Settings::default().rate(Class::Registry), None);
        let tier = Some(Tier::S3);
        let settings = Settings {
            tier,
            ..Settings::default()
        };
        assert_eq!(settings.rate(Class::TwinRead), Some(Rate(500.0)));
        assert_eq!(settings.rate(Class::Device), Some(Rate(6_000.0)));
        assert_eq!(settings.rate(Class::Free), None);
    }
}
