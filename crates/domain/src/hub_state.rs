//! What a hub is to its fleet, and whether the fleet's registry takes writes.
//!
//! ```text
//! Provisioning ─▶ Syncing ─▶ Ready ─▶ Active ─▶ Draining ─▶ Fenced ─▶ Syncing
//!                    ▲                   └──(forced)──▶ Quarantined ─┬─▶ Merging ─▶ Syncing
//!                    └──────────────────────────────────── Rewound ◀─┘
//! ```
//!
//! Only `Active` is routed to (I22). Only the concierge changes a state.

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stored and printed name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value with this stored name.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use named;

named!(
    /// What a hub is to its fleet.
    HubState {
        /// Known, not connected yet.
        Provisioning = "provisioning",
        /// A standby that does not hold everything yet.
        Syncing = "syncing",
        /// A standby that was last verified equal to the active hub.
        Ready = "ready",
        /// The authority: the only hub that devices are sent to and identities are created at.
        Active = "active",
        /// Was active until a planned move; devices may still be attached.
        Draining = "draining",
        /// Takes no more writes from us, nor from others where the adapter can shut them out.
        Fenced = "fenced",
        /// Missed an epoch change: what it holds must be merged before it is anything else.
        Quarantined = "quarantined",
        /// Came back from an older state: is reseeded, not merged.
        Rewound = "rewound",
        /// A merge is being applied.
        Merging = "merging",
        /// Not part of the fleet any more.
        Retired = "retired",
    }
);

named!(
    /// Whether identities may be created, changed and deleted at the active hub.
    RegistryMode {
        /// Yes.
        Open = "open",
        /// No, until a planned failover is through or gave up.
        Frozen = "frozen",
        /// No, until every call of the epoch before has passed its deadline.
        Settling = "settling",
    }
);

named!(
    /// Why a hub write is intended: decides at which hub and when it is allowed.
    Purpose {
        /// A back end changes a device: at the active hub, while open.
        Provision = "provision",
        /// A standby follows: at a Syncing or Ready hub, while not settling.
        Replicate = "replicate",
        /// A merge is applied: at the active or a Quarantined hub, while open.
        Merge = "merge",
        /// Journaled writes are repeated at the new active hub, by the operation, while settling.
        Replay = "replay",
        /// A backup's old records are written: at a Syncing or Ready hub, while open. The database
        /// refuses it during an operation too, which counts on what its target holds.
        Restore = "restore",
    }
);

/// Whether an intent may be recorded. The database function `authority.assert_intent` says the
/// same in SQL; a test holds the two together.
pub fn intent_allowed(purpose: Purpose, mode: RegistryMode, hub: HubState) -> bool {
    match purpose {
        Purpose::Provision => mode == RegistryMode::Open && hub == HubState::Active,
        Purpose::Replicate => {
            mode != RegistryMode::Settling && matches!(hub, HubState::Syncing | HubState::Ready)
        }
        Purpose::Merge => {
            use HubState::{Active, Merging, Quarantined, Rewound};
            mode == RegistryMode::Open && matches!(hub, Active | Quarantined | Rewound | Merging)
        }
        Purpose::Replay => mode == RegistryMode::Settling && hub == HubState::Active,
        Purpose::Restore => {
            mode == RegistryMode::Open && matches!(hub, HubState::Syncing | HubState::Ready)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for state in HubState::ALL {
            assert_eq!(HubState::parse(state.as_str()), Some(*state));
        }
        assert_eq!(RegistryMode::parse("closed"), None);
    }

    #[test]
    fn a_quarantined_hub_is_written_by_a_merge_alone() {
        for purpose in Purpose::ALL {
            for mode in RegistryMode::ALL {
                let allowed = intent_allowed(*purpose, *mode, HubState::Quarantined);
                let expected = *purpose == Purpose::Merge && *mode == RegistryMode::Open;
                assert_eq!(allowed, expected, "{purpose} {mode}");
            }
        }
    }
}
