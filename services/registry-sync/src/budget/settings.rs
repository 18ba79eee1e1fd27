//! From what an operator allowed to calls per second.

use hubshift_azure::quota::{self, Tier};
use hubshift_hub::budget::BudgetSettings;
use hubshift_store::StoreError;

use crate::authority::damaged;
use crate::store::connection::Allowance;

/// A rate that a refusal halved is whole again after ten minutes.
const RECOVERY_PER_SECOND: f64 = 1.0 / 600.0;

/// What an operator allowed, for a hub whose quota's clock runs at `speed`.
///
/// # Errors
/// The stored tier is not known to this binary.
pub(crate) fn settings(allowance: &Allowance, speed: f64) -> Result<BudgetSettings, StoreError> {
    let tier = match allowance.tier.as_str() {
        "" => None,
        text => Some(text.parse::<Tier>().map_err(|_| damaged("tier"))?),
    };
    let units = u32::try_from(allowance.units).unwrap_or(1);
    let percent = u64::try_from(allowance.daily_message_percent).unwrap_or(1);
    Ok(BudgetSettings {
        tier,
        units,
        share: f64::from(allowance.share_percent) / 100.0,
        speed,
        daily_messages: tier.map(|tier| quota::daily_messages(tier, units) * percent / 100),
    })
}

/// The part of the whole rate by which it rises in a second after a refusal.
pub(crate) fn recovery(speed: f64) -> f64 {
    RECOVERY_PER_SECOND * speed
}

#[cfg(test)]
mod tests {
    use hubshift_azure::quota::OperationClass;

    use super::*;

    #[test]
    fn half_of_the_quota_is_ours_unless_more_is_allowed() {
        let one = Allowance {
            tier: "S1".into(),
            ..Allowance::default()
        };
        let found = settings(&one, 1.0).unwrap();
        let rate = found.per_second(OperationClass::Registry).unwrap();
        assert!((rate - 50.0 / 60.0).abs() < 1e-9, "{rate}");
        let daily = quota::daily_messages(Tier::S1, 1) / 20;
        assert_eq!(found.daily_messages, Some(daily));
        let more = Allowance {
            units: 3,
            share_percent: 100,
            ..one
        };
        let found = settings(&more, 60.0).unwrap();
        let rate = found.per_second(OperationClass::Registry).unwrap();
        assert!((rate - 300.0).abs() < 1e-6, "{rate}");
    }

    #[test]
    fn an_unknown_tier_has_no_rate_and_a_strange_one_is_not_guessed() {
        let found = settings(&Allowance::default(), 1.0).unwrap();
        assert_eq!(found.per_second(OperationClass::Query), None);
        assert_eq!(found.daily_messages, None);
        let strange = Allowance {
            tier: "S9".into(),
            ..Allowance::default()
        };
        assert!(settings(&strange, 1.0).is_err());
    }
}
