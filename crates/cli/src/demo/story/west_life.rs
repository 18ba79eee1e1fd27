//! Chapter five: life at west, with documents and events, some of it late and twice.

use hubshift_api::pb::merge::{EventOutcome, NamespacePolicy};
use serde_json::{Value, json};

use super::Story;
use super::stranded::{CAST, CONFLICT, DELETE_MODIFY, WEST_DELETE, WEST_EDIT};
use crate::demo::args::EastReturns;
use crate::demo::backend::counted;
use crate::demo::own_store::Sides;

/// Events per origin.
const EVENTS: u64 = 12;

impl Story {
    /// Documents as they are before anything burns.
    pub(super) async fn write_documents_at_home(&mut self) -> anyhow::Result<()> {
        let footing = self.back_end.take_footing().await?;
        self.back_end
            .namespace("visits", NamespacePolicy::Counter)
            .await?;
        self.back_end
            .put(
                &footing,
                "sites",
                "bergen",
                &json!({"manager": "Ida", "floors": 3}),
            )
            .await?;
        self.back_end
            .put(&footing, "visits", "bergen", &json!(10))
            .await?;
        let base = json!({"plan": "basic", "seats": 5});
        self.own_store
            .set("customer-1", Sides::new(base.clone(), base.clone(), base));
        Ok(())
    }

    /// Devices created, changed, disabled and deleted; documents and events.
    pub(super) async fn live_at_west(&mut self) -> anyhow::Result<()> {
        for number in 0..CAST {
            self.create(&format!("west-{number}"), json!("Lund"))
                .await?;
            let id = self.cast(WEST_EDIT, number);
            self.tag(&id, "owner", json!("west-desk")).await?;
            self.enable(&id, number != 0).await?;
            let id = self.cast(CONFLICT, number);
            self.tag(&id, "owner", json!("west-desk")).await?;
            let id = self.cast(DELETE_MODIFY, number);
            self.delete(&id).await?;
        }
        let id = self.cast(WEST_DELETE, 0);
        self.delete(&id).await?;
        self.write_documents_at_west().await?;
        self.send_events().await?;
        self.say("life at west: devices, documents and events, some of it late and twice");
        Ok(())
    }

    async fn write_documents_at_west(&mut self) -> anyhow::Result<()> {
        let footing = self.back_end.take_footing().await?;
        let value = json!({"manager": "Jon", "floors": 3});
        self.back_end
            .put(&footing, "sites", "bergen", &value)
            .await?;
        self.back_end
            .put(&footing, "visits", "bergen", &json!(13))
            .await?;
        self.expect_document("sites/bergen", "manager", json!("Jon"));
        let base = json!({"plan": "basic", "seats": 5});
        let east = json!({"plan": "basic", "seats": 8});
        let west = json!({"plan": "pro", "seats": 5});
        self.own_store
            .set("customer-1", Sides::new(base, east, west));
        // A back end that was cut off lived by east, and is heard of only now.
        let Some(old) = self.old_footing.clone() else {
            return Ok(());
        };
        let late = json!({"manager": "Ida", "floors": 4});
        let branch = self.back_end.put(&old, "sites", "bergen", &late).await?;
        anyhow::ensure!(
            branch,
            "a write of an epoch that is over must become a branch"
        );
        self.back_end
            .put(&old, "visits", "bergen", &json!(15))
            .await?;
        self.ledger.late += 2;
        if self.returns == EastReturns::Never {
            self.ledger.count("visits/bergen", 13);
            return Ok(());
        }
        self.expect_document("sites/bergen", "floors", json!(4));
        self.ledger.count("visits/bergen", 10 + 3 + 5);
        self.expect_document("customer-1", "plan", json!("pro"));
        self.expect_document("customer-1", "seats", json!(8));
        Ok(())
    }

    fn expect_document(&mut self, document: &str, part: &str, value: Value) {
        self.ledger
            .documents
            .insert((document.into(), part.into()), value);
    }

    /// Counts of messages: out of order, every one twice, and some of an epoch that is over.
    async fn send_events(&mut self) -> anyhow::Result<()> {
        let footing = self.back_end.take_footing().await?;
        let device = self.cast(WEST_EDIT, 1);
        let fresh: Vec<_> = (1..=EVENTS)
            .rev()
            .map(|seq| counted(&footing, &device, seq))
            .collect();
        for _ in 0..2 {
            let outcomes = self.back_end.record(fresh.clone()).await?;
            let bad = outcomes.iter().find(|o| {
                matches!(
                    o,
                    EventOutcome::Unspecified
                        | EventOutcome::DeadLetter
                        | EventOutcome::Late
                        | EventOutcome::OutOfWindow
                )
            });
            anyhow::ensure!(bad.is_none(), "an event of this epoch was answered {bad:?}");
        }
        self.ledger
            .count(&format!("events/{device}"), EVENTS as i64);
        self.ledger.late += EVENTS;
        let Some(old) = self.old_footing.clone() else {
            return Ok(());
        };
        let late: Vec<_> = (1..=3).map(|seq| counted(&old, &device, seq)).collect();
        for round in 0..2 {
            let outcomes = self.back_end.record(late.clone()).await?;
            let expected = if round == 0 {
                EventOutcome::Late
            } else {
                EventOutcome::Duplicate
            };
            anyhow::ensure!(
                outcomes.iter().all(|outcome| *outcome == expected),
                "events of an epoch that is over were answered {outcomes:?}"
            );
        }
        self.ledger.late += 6;
        if self.returns != EastReturns::Never {
            self.ledger.count(&format!("events/{device}"), 3);
        }
        Ok(())
    }
}
