//! Chapter six: east returns, is merged, and the fleet goes home.

use hubshift_api::pb::concierge::FailoverKind;
use hubshift_api::pb::merge::{Choice, Conflict, ConflictState, MergeState};
use hubshift_api::pb::types::HubState;

use super::Story;
use super::baseline::short;
use crate::demo::args::EastReturns;

impl Story {
    /// The hub comes back, one way or another.
    pub(super) async fn east_returns(&mut self) -> anyhow::Result<()> {
        match self.returns {
            EastReturns::Rewound => self.world.east.return_to_copy().await?,
            EastReturns::Empty => self.world.east.wipe().await?,
            EastReturns::AsWas | EastReturns::Never => {}
        }
        self.world.east.power_on().await?;
        let fleet = self.operator.fleet().await?;
        let name = format!("{}/hubs/east", fleet.name);
        let state = fleet
            .hubs
            .iter()
            .find(|hub| hub.name == name)
            .map(|hub| hub.state());
        anyhow::ensure!(
            matches!(state, Some(HubState::Quarantined | HubState::Rewound)),
            "a hub that missed an epoch must be quarantined, and is {state:?}"
        );
        self.say(&format!(
            "the east hub is back, {}, and quarantined",
            self.returns.as_str()
        ));
        Ok(())
    }

    /// Plan, review, resolve, apply.
    pub(super) async fn merge(&mut self) -> anyhow::Result<()> {
        let sources = vec![self.own_store_url.clone()];
        let planned = self.operator.plan_merge("east", sources).await?;
        let counts = planned.counts.unwrap_or_default();
        self.say(&format!(
            "merge plan {}: {} keys differ, {} conflicts decided, {} held{}",
            short(&planned.plan_id),
            counts.differing_count,
            counts.auto_count,
            counts.held_count,
            if planned.rewound {
                "; east came back older and is reseeded"
            } else {
                ""
            }
        ));
        let expected = matches!(self.returns, EastReturns::Rewound | EastReturns::Empty);
        anyhow::ensure!(
            planned.rewound == expected,
            "east returned {}, and the plan says rewound: {}",
            self.returns.as_str(),
            planned.rewound
        );
        self.resolve_held().await?;
        let reviewed = self.operator.merge(&planned.name).await?;
        self.operator.apply(&reviewed).await?;
        self.monkey.strike(&self.world, "merge apply");
        let closed = self
            .operator
            .wait_for_merge(&planned.name, MergeState::Closed)
            .await?;
        anyhow::ensure!(
            closed.primary_digest == closed.secondary_digest,
            "the merge closed with different digests"
        );
        self.say(&format!(
            "merged: both hubs have digest {}",
            short(&closed.primary_digest)
        ));
        Ok(())
    }

    /// The operator keeps the first held device and lets the others go.
    async fn resolve_held(&mut self) -> anyhow::Result<()> {
        let conflicts = self.operator.conflicts().await?;
        let held: Vec<Conflict> = conflicts
            .into_iter()
            .filter(|c| c.state() == ConflictState::Held)
            .collect();
        for (position, conflict) in held.iter().enumerate() {
            let keep = position == 0;
            let choice = if keep {
                Choice::Primary
            } else {
                Choice::Secondary
            };
            self.operator.resolve(&conflict.name, choice).await?;
            if conflict.kind == "delete_modify" {
                let list = if keep {
                    &mut self.ledger.resolved_kept
                } else {
                    &mut self.ledger.resolved_deleted
                };
                list.push(conflict.key.clone());
            }
            self.say(&format!(
                "held: {} was deleted at west and changed at east; the operator {} it",
                conflict.key,
                if keep { "keeps" } else { "deletes" }
            ));
        }
        Ok(())
    }

    /// Home.
    pub(super) async fn go_home(&mut self) -> anyhow::Result<()> {
        self.operator.wait_for_hub("east", HubState::Ready).await?;
        self.move_fleet(FailoverKind::Failback, "west", "east")
            .await?;
        self.operator.wait_for_hub("west", HubState::Ready).await
    }
}
