//! The part of a connection that says how much of the hub's quota is ours.

use hubshift_api::pb::registry as pb;
use hubshift_api::validate::Checks;
use hubshift_azure::quota::Tier;

use crate::store::connection::Allowance;

/// No hub has more units.
const MAX_UNITS: u32 = 200;

/// What an operator allows; 0 stands for the default. Everything that is wrong is noted.
pub(super) fn checked(checks: &mut Checks, budget: Option<&pb::Budget>) -> Allowance {
    let defaults = Allowance::default();
    let Some(budget) = budget else {
        return defaults;
    };
    let field = |name: &str| format!("connection.budget.{name}");
    if !budget.tier.is_empty() && budget.tier.parse::<Tier>().is_err() {
        let problem = "is not a tier: F1, B1, S1, B2, S2, B3 or S3, or empty when it is not known";
        checks.violation(&field("tier"), problem);
    }
    let mut number = |name: &str, value: u32, most: u32, default: i32| {
        if value > most {
            checks.violation(&field(name), format!("is {value}, at most {most}"));
        }
        match i32::try_from(value) {
            Ok(0) | Err(_) => default,
            Ok(value) => value,
        }
    };
    let (share, daily) = (budget.share_percent, budget.daily_message_percent);
    Allowance {
        units: number("units", budget.units, MAX_UNITS, defaults.units),
        share_percent: number("share_percent", share, 100, defaults.share_percent),
        daily_message_percent: number(
            "daily_message_percent",
            daily,
            100,
            defaults.daily_message_percent,
        ),
        tier: match budget.tier.parse::<Tier>() {
            Ok(tier) => tier.as_str().to_owned(),
            Err(_) => String::new(),
        },
    }
}

/// To the wire.
pub(super) fn to_wire(allowance: &Allowance) -> pb::Budget {
    let number = |value: i32| u32::try_from(value).unwrap_or(0);
    pb::Budget {
        tier: allowance.tier.clone(),
        units: number(allowance.units),
        share_percent: number(allowance.share_percent),
        daily_message_percent: number(allowance.daily_message_percent),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(budget: &pb::Budget) -> (Allowance, Result<(), tonic::Status>) {
        let mut checks = Checks::new();
        let allowance = checked(&mut checks, Some(budget));
        (allowance, checks.done())
    }

    #[test]
    fn what_is_left_out_gets_its_default() {
        let mut checks = Checks::new();
        assert_eq!(checked(&mut checks, None), Allowance::default());
        let (allowance, verdict) = take(&pb::Budget::default());
        assert_eq!(allowance, Allowance::default());
        assert!(verdict.is_ok());
    }

    #[test]
    fn what_was_said_comes_back() {
        let said = pb::Budget {
            tier: "S3".into(),
            units: 10,
            share_percent: 80,
            daily_message_percent: 1,
        };
        let (allowance, verdict) = take(&said);
        assert!(verdict.is_ok());
        assert_eq!(to_wire(&allowance), said);
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let (_, verdict) = take(&pb::Budget {
            tier: "P1".into(),
            units: 201,
            share_percent: 101,
            daily_message_percent: 101,
        });
        let text = verdict.unwrap_err().message().to_owned();
        for field in ["tier", "units", "share_percent", "daily_message_percent"] {
            assert!(
                text.contains(&format!("connection.budget.{field}: ")),
                "{text}"
            );
        }
    }
}
