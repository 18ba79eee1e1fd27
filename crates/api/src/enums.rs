//! Enums between wire and domain. Values from newer peers read as unspecified (`None`).

use hubshift_domain::fence::FenceState;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::identity::CredentialKind;

use crate::pb::{registry, types};

/// To the wire.
pub fn hub_state(state: HubState) -> types::HubState {
    match state {
        HubState::Provisioning => types::HubState::Provisioning,
        HubState::Syncing => types::HubState::Syncing,
        HubState::Ready => types::HubState::Ready,
        HubState::Active => types::HubState::Active,
        HubState::Draining => types::HubState::Draining,
        HubState::Fenced => types::HubState::Fenced,
        HubState::Quarantined => types::HubState::Quarantined,
        HubState::Rewound => types::HubState::Rewound,
        HubState::Merging => types::HubState::Merging,
        HubState::Retired => types::HubState::Retired,
    }
}

/// From the wire.
pub fn from_hub_state(state: types::HubState) -> Option<HubState> {
    HubState::ALL
        .iter()
        .copied()
        .find(|known| hub_state(*known) == state)
}

/// To the wire.
pub fn registry_mode(mode: RegistryMode) -> types::RegistryMode {
    match mode {
        RegistryMode::Open => types::RegistryMode::Open,
        RegistryMode::Frozen => types::RegistryMode::Frozen,
        RegistryMode::Settling => types::RegistryMode::Settling,
    }
}

/// To the wire.
pub fn fence_state(state: FenceState) -> registry::FenceState {
    match state {
        FenceState::Requested => registry::FenceState::Requested,
        FenceState::Unknown => registry::FenceState::Unknown,
        FenceState::Done => registry::FenceState::Done,
        FenceState::Lifting => registry::FenceState::Lifting,
        FenceState::Lifted => registry::FenceState::Lifted,
    }
}

/// From the wire. There may be no fence.
pub fn from_fence_state(state: registry::FenceState) -> Option<FenceState> {
    FenceState::ALL
        .iter()
        .copied()
        .find(|known| fence_state(*known) == state)
}

/// To the wire.
pub fn credential_kind(kind: CredentialKind) -> types::CredentialKind {
    match kind {
        CredentialKind::Sas => types::CredentialKind::Sas,
        CredentialKind::SelfSigned => types::CredentialKind::SelfSigned,
        CredentialKind::Ca => types::CredentialKind::Ca,
        CredentialKind::None => types::CredentialKind::None,
    }
}

/// From the wire.
pub fn from_credential_kind(kind: types::CredentialKind) -> Option<CredentialKind> {
    CredentialKind::ALL
        .iter()
        .copied()
        .find(|known| credential_kind(*known) == kind)
}
