//! When the service says that it serves: the database can be worked with, and the sync has looked
//! once at what there is to do.

use std::sync::{Arc, Mutex, PoisonError};

use hubshift_shell::Health;

/// What is served; the empty name is the process.
const NAMES: [&str; 8] = [
    "",
    "hubshift.registry.v1.AdoptionService",
    "hubshift.registry.v1.AttachmentService",
    "hubshift.registry.v1.BackupService",
    "hubshift.registry.v1.ConnectionService",
    "hubshift.registry.v1.DeviceService",
    "hubshift.registry.v1.FenceService",
    "hubshift.registry.v1.ReplicationService",
];

/// What readiness is made of. Clones share it.
#[derive(Clone)]
pub(super) struct Readiness {
    health: Health,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    is_usable: bool,
    has_looked: bool,
}

impl Readiness {
    /// Not ready yet.
    pub(super) fn new(health: Health) -> Self {
        Self {
            health,
            seen: Arc::default(),
        }
    }

    /// Whether the database can be worked with.
    pub(super) fn database(&self, is_usable: bool) {
        self.tell(|seen| seen.is_usable = is_usable);
    }

    /// The sync has had its first look.
    pub(super) fn synced(&self) {
        self.tell(|seen| seen.has_looked = true);
    }

    fn tell(&self, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut seen);
        for name in NAMES {
            let is_serving = seen.is_usable && seen.has_looked;
            self.health.set_serving(name, is_serving);
        }
    }
}
