//! What `hubshift doctor` is told.

use std::str::FromStr;

use clap::Args;
use hubshift_azure::quota::Tier;
use hubshift_registry_sync::SecretRef;

/// Options of `hubshift doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Where the connection string of the hub that devices live at is: file:PATH or env:NAME
    #[arg(long, value_name = "REF")]
    pub(crate) source: SecretRef,

    /// Where the connection string of the hub that they may move to is
    #[arg(long, value_name = "REF")]
    pub(crate) target: SecretRef,

    /// Certificate authority of the source [default: the public ones]
    #[arg(long, value_name = "REF")]
    pub(crate) source_ca: Option<SecretRef>,

    /// Certificate authority of the target [default: the public ones]
    #[arg(long, value_name = "REF")]
    pub(crate) target_ca: Option<SecretRef>,

    /// Tier and units of the source, S1:1: how fast it may be read
    #[arg(long, value_name = "TIER:UNITS")]
    pub(crate) source_tier: Option<TierUnits>,

    /// Tier and units of the target: what times are computed from
    #[arg(long, value_name = "TIER:UNITS", default_value = "S1:1")]
    pub(crate) target_tier: TierUnits,

    /// Part of a hub's quota that Hubshift may use, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) share: u32,

    /// Where the SAS URI of a blob container for import jobs is
    #[arg(long, value_name = "REF")]
    pub(crate) job_container: Option<SecretRef>,

    /// How many findings of a kind to ask both hubs for once more, and to print
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub(crate) confirm: usize,

    /// How many devices to compare keys of: each costs two calls at both hubs
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) sample: usize,
}

/// A tier and how many units of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct TierUnits {
    pub(crate) tier: Tier,
    pub(crate) units: u32,
}

impl FromStr for TierUnits {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (tier, units) = text.split_once(':').unwrap_or((text, "1"));
        let tier = tier.parse().map_err(|error| format!("the tier {error}"))?;
        match units.parse() {
            Ok(units @ 1..=200) => Ok(Self { tier, units }),
            _ => Err("units must be a number from 1 to 200".to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_unit_is_meant_when_none_is_named() {
        let read: TierUnits = "s2".parse().unwrap();
        assert_eq!((read.tier, read.units), (Tier::S2, 1));
        let read: TierUnits = "S3:10".parse().unwrap();
        assert_eq!((read.tier, read.units), (Tier::S3, 10));
        assert!("S4".parse::<TierUnits>().is_err());
        assert!("S1:0".parse::<TierUnits>().is_err());
    }
}
