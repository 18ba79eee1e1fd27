//! What a device does when neither its hub nor any concierge answers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a device does when neither its hub nor any concierge answers. As text: `ask`, or
/// `standby_after(900s)` with whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum OnUnreachable {
    /// Keeps its hub and keeps asking.
    #[default]
    Ask,
    /// After this long it may attach to the next hub of the signed list. Attachment, never
    /// authority.
    StandbyAfter(Duration),
}

/// The text is neither `ask` nor `standby_after(...s)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `ask` or `standby_after(SECONDSs)`, such as `standby_after(900s)`")]
pub struct OnUnreachableError(pub String);

impl FromStr for OnUnreachable {
    type Err = OnUnreachableError;

    /// The empty text means `ask`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "ask" {
            return Ok(Self::Ask);
        }
        text.strip_prefix("standby_after(")
            .and_then(|rest| rest.strip_suffix("s)"))
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(|seconds: u32| Self::StandbyAfter(Duration::from_secs(u64::from(seconds))))
            .ok_or_else(|| OnUnreachableError(text.to_owned()))
    }
}

/// A rule that is newer than the reader is read as the careful one.
impl From<String> for OnUnreachable {
    fn from(text: String) -> Self {
        text.parse().unwrap_or_default()
    }
}

impl From<OnUnreachable> for String {
    fn from(rule: OnUnreachable) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for OnUnreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ask => f.write_str("ask"),
            Self::StandbyAfter(after) => write!(f, "standby_after({}s)", after.as_secs()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back_and_others_are_refused() {
        for text in ["ask", "standby_after(900s)"] {
            assert_eq!(text.parse::<OnUnreachable>().unwrap().to_string(), text);
        }
        assert_eq!("".parse(), Ok(OnUnreachable::Ask));
        for bad in [
            "never",
            "standby_after(15m)",
            "standby_after(s)",
            "standby_after(+1s)",
        ] {
            assert!(bad.parse::<OnUnreachable>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_rule_in_a_route_means_ask() {
        let read: OnUnreachable = serde_json::from_str("\"swim\"").unwrap();
        assert_eq!(read, OnUnreachable::Ask);
    }
}
