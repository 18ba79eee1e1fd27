//! Stops a plan that would change too much: an export that was cut short must never turn into
//! deletions. A tripped breaker needs a second approver, over-quota another hub or unit. Devices are
//! watched apart from modules and configurations: neither hides behind the number of the others.

use serde::{Deserialize, Serialize};

use super::plan::{Counts, HubCounts};
use super::side::Choice;
use crate::hub_state::named;

/// From which size on a plan needs a second approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Breakers {
    /// Deletions at a hub, in percent of the devices there.
    pub delete_percent: u32,
    /// Credentials that change at a hub, in percent of the devices there.
    pub auth_percent: u32,
    /// As many changes never trip, however small the fleet.
    pub always_allowed: u64,
}

impl Default for Breakers {
    fn default() -> Self {
        Self {
            delete_percent: 10,
            auth_percent: 20,
            always_allowed: 5,
        }
    }
}

named!(
    /// What a breaker watches.
    Breaker {
        /// Deletions.
        MassDelete = "mass_delete",
        /// Deletions of modules and configurations.
        MassDeleteOther = "mass_delete_other",
        /// Changed credentials.
        MassAuthChange = "mass_auth_change",
        /// Changed credentials of modules.
        MassAuthChangeOther = "mass_auth_change_other",
        /// More devices than the hub takes.
        OverQuota = "over_quota",
    }
);

/// A hub's size before the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubSize {
    /// How many devices it has, by a complete listing.
    pub devices: u64,
    /// How many modules and configurations.
    pub others: u64,
    /// How many it takes, if that is known.
    pub quota: Option<u64>,
}

/// A breaker that tripped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tripped {
    /// What it watches.
    pub breaker: Breaker,
    /// At which hub.
    pub hub: Choice,
    /// How many there would be.
    pub count: u64,
    /// How many are allowed.
    pub allowed: u64,
}

impl Tripped {
    /// Whether one of these trips, that somebody let pass, was as large.
    pub fn is_within(&self, approved: &[Tripped]) -> bool {
        approved.iter().any(|trip| {
            trip.breaker == self.breaker && trip.hub == self.hub && self.count <= trip.count
        })
    }
}

impl Breakers {
    /// The breakers that a plan trips; empty when one approval is enough.
    pub fn check(&self, counts: &Counts, primary: HubSize, secondary: HubSize) -> Vec<Tripped> {
        let mut tripped = self.check_hub(Choice::Primary, &counts.primary, primary);
        tripped.extend(self.check_hub(Choice::Secondary, &counts.secondary, secondary));
        tripped
    }

    fn check_hub(&self, hub: Choice, counts: &HubCounts, size: HubSize) -> Vec<Tripped> {
        let others = counts.others;
        let deleted = counts.delete.saturating_sub(others.delete);
        let created = counts.create.saturating_sub(others.create);
        let changed = counts.auth_change.saturating_sub(others.auth_change);
        let after = (size.devices + created).saturating_sub(deleted);
        let delete = |held| self.share(held, self.delete_percent);
        let auth = |held| self.share(held, self.auth_percent);
        let watched = [
            (Breaker::MassDelete, deleted, delete(size.devices)),
            (Breaker::MassDeleteOther, others.delete, delete(size.others)),
            (Breaker::MassAuthChange, changed, auth(size.devices)),
            (
                Breaker::MassAuthChangeOther,
                others.auth_change,
                auth(size.others),
            ),
            (Breaker::OverQuota, after, size.quota.unwrap_or(u64::MAX)),
        ];
        let over = watched
            .into_iter()
            .filter(|(_, count, allowed)| count > allowed);
        over.map(|(breaker, count, allowed)| Tripped {
            breaker,
            hub,
            count,
            allowed,
        })
        .collect()
    }

    /// How many of so many may change.
    fn share(&self, held: u64, percent: u32) -> u64 {
        let part = u128::from(held) * u128::from(percent) / 100;
        u64::try_from(part)
            .unwrap_or(u64::MAX)
            .max(self.always_allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merge::plan::OtherCounts;

    fn counts(delete: u64, auth_change: u64, create: u64) -> Counts {
        Counts {
            primary: HubCounts {
                delete,
                auth_change,
                create,
                ..HubCounts::default()
            },
            ..Counts::default()
        }
    }

    fn trips(counts: &Counts, size: HubSize) -> Vec<Breaker> {
        let tripped = Breakers::default().check(counts, size, HubSize::default());
        tripped.into_iter().map(|tripped| tripped.breaker).collect()
    }

    #[test]
    fn shares_of_the_hub_trip_and_a_handful_never_does() {
        let size = HubSize {
            devices: 1000,
            quota: Some(1001),
            ..HubSize::default()
        };
        assert!(trips(&counts(100, 200, 0), size).is_empty());
        assert_eq!(trips(&counts(101, 0, 0), size), [Breaker::MassDelete]);
        assert_eq!(trips(&counts(0, 201, 1), size), [Breaker::MassAuthChange]);
        assert_eq!(trips(&counts(0, 0, 2), size), [Breaker::OverQuota]);
        assert!(trips(&counts(5, 5, 0), HubSize::default()).is_empty());
        assert_eq!(
            trips(&counts(6, 0, 0), HubSize::default()),
            [Breaker::MassDelete]
        );
    }

    #[test]
    fn devices_do_not_hide_behind_modules_nor_modules_behind_devices() {
        let size = HubSize {
            devices: 100,
            others: 10_000,
            quota: Some(101),
        };
        assert_eq!(trips(&counts(11, 0, 0), size), [Breaker::MassDelete]);
        assert_eq!(trips(&counts(0, 21, 0), size), [Breaker::MassAuthChange]);
        let modules = |count| {
            let mut counts = counts(count, count, count);
            counts.primary.others = OtherCounts {
                create: count,
                delete: count,
                auth_change: count,
            };
            counts
        };
        assert!(trips(&modules(1000), size).is_empty());
        assert_eq!(trips(&modules(1001), size), [Breaker::MassDeleteOther]);
        let tripped = [Breaker::MassDeleteOther, Breaker::MassAuthChangeOther];
        assert_eq!(trips(&modules(2001), size), tripped);
    }

    #[test]
    fn what_was_let_pass_covers_no_more_and_nothing_else() {
        let trip = |breaker, hub, count| Tripped {
            breaker,
            hub,
            count,
            allowed: 5,
        };
        let (delete, auth) = (Breaker::MassDelete, Breaker::MassAuthChange);
        let approved = [trip(delete, Choice::Primary, 12)];
        assert!(trip(delete, Choice::Primary, 12).is_within(&approved));
        assert!(!trip(delete, Choice::Primary, 13).is_within(&approved));
        assert!(!trip(delete, Choice::Secondary, 6).is_within(&approved));
        assert!(!trip(auth, Choice::Primary, 6).is_within(&approved));
        assert!(!trip(delete, Choice::Primary, 6).is_within(&[]));
    }
}
