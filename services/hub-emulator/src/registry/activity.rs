//! What a device did lately. In memory only.

use time::{Duration, OffsetDateTime};

/// How long after its last message a device counts as connected.
const CONNECTED_FOR: Duration = Duration::seconds(60);

/// Messages of one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Activity {
    /// How many messages came since the process began.
    pub(crate) count: u64,
    /// When the last one came.
    pub(crate) last: OffsetDateTime,
    /// When the device came back after its last pause.
    connected_since: OffsetDateTime,
}

impl Activity {
    pub(crate) fn first(now: OffsetDateTime) -> Self {
        Self {
            count: 1,
            last: now,
            connected_since: now,
        }
    }

    pub(crate) fn note(&mut self, now: OffsetDateTime) {
        if !self.is_connected(now) {
            self.connected_since = now;
        }
        self.last = now;
        self.count += 1;
    }

    pub(crate) fn is_connected(&self, now: OffsetDateTime) -> bool {
        now - self.last <= CONNECTED_FOR
    }

    /// When the device last came or went.
    pub(crate) fn changed(&self, now: OffsetDateTime) -> OffsetDateTime {
        if self.is_connected(now) {
            self.connected_since
        } else {
            self.last + CONNECTED_FOR
        }
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_device_is_connected_for_a_minute_after_a_message() {
        let start = datetime!(2026-11-23 12:00 UTC);
        let mut activity = Activity::first(start);
        assert!(activity.is_connected(start + CONNECTED_FOR));
        let later = start + Duration::minutes(5);
        assert!(!activity.is_connected(later));
        assert_eq!(activity.changed(later), start + CONNECTED_FOR);
        activity.note(later);
        assert_eq!((activity.count, activity.changed(later)), (2, later));
    }
}
