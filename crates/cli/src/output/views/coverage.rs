//! Which part of a fleet asks.

use hubshift_api::pb::concierge as pb;
use hubshift_domain::coverage::Coverage;
use hubshift_domain::sketch::Count;
use serde::Serialize;

use crate::output::{Block, View};

/// A fleet's devices, and those of them that ask.
#[derive(Debug, Serialize)]
pub(crate) struct CoverageView {
    fleet: String,
    registered_count: u64,
    /// Where that number is from: `hub`, or `device_count`, which somebody gave.
    registered_by: &'static str,
    polling_count: u64,
    polling_error_percent: f64,
    silent_count: u64,
    attached_count: u64,
    active_hub: String,
    text: String,
}

impl CoverageView {
    /// Of a fleet whose active hub was seen to have so many devices, if anybody saw it.
    pub(crate) fn new(fleet: pb::Fleet, counted: Option<u64>) -> Self {
        let adoption = fleet.adoption.unwrap_or_default();
        let polling = Count {
            number: adoption.polling_count,
            error_percent: adoption.polling_error_percent,
        };
        let coverage = Coverage::new(counted.unwrap_or(fleet.device_count), polling);
        Self {
            fleet: fleet.name,
            registered_count: coverage.registered,
            registered_by: match counted {
                Some(_) => "hub",
                None => "device_count",
            },
            polling_count: coverage.polling,
            polling_error_percent: coverage.error_percent,
            silent_count: coverage.silent(),
            attached_count: adoption.attached_count,
            active_hub: fleet.active_hub,
            text: coverage.text(),
        }
    }
}

impl View for CoverageView {
    fn human(&self) -> String {
        let by = match self.registered_by {
            "hub" => format!("seen at {}, disabled ones too", self.active_hub),
            _ => "as `fleet update --devices` says; the hub's are not counted".to_owned(),
        };
        let attached = format!(
            "{} say they are at {}",
            self.attached_count, self.active_hub
        );
        let block = Block::new()
            .line("devices", format!("{} ({by})", self.registered_count))
            .line("attached", attached);
        format!("{}\n\n{}", self.text, block.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> pb::Fleet {
        pb::Fleet {
            name: "fleets/acme".into(),
            active_hub: "east".into(),
            device_count: 1_000,
            adoption: Some(pb::Adoption {
                polling_count: 1_500,
                attached_count: 1_499,
                polling_error_percent: 1.6,
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn what_the_hub_has_counts_before_what_somebody_gave() {
        let view = CoverageView::new(fleet(), Some(2_000));
        let text = "1,500 of 2,000 poll (±1.6 %); 500 will not move by themselves";
        assert_eq!(view.text, text);
        assert_eq!((view.silent_count, view.registered_by), (500, "hub"));
        assert!(view.human().starts_with(text), "{}", view.human());
        let given = CoverageView::new(fleet(), None);
        assert_eq!(
            (given.registered_count, given.registered_by),
            (1_000, "device_count")
        );
        assert!(given.text.contains("correct the number"), "{}", given.text);
    }
}
