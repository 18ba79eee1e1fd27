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
    /// Whether it is connected, whatever messages come, and since when: that was ordered.
    ordered: Option<(bool, OffsetDateTime)>,
}

impl Activity {
    pub(crate) fn first(now: OffsetDateTime) -> Self {
        Self {
            count: 1,
            last: now,
            connected_since: now,
            ordered: None,
        }
    }

    /// One that has sent nothing.
    pub(crate) fn none(now: OffsetDateTime) -> Self {
        Self {
            count: 0,
            ..Self::first(now)
        }
    }

    /// From now on it is connected, or not, until another order.
    pub(crate) fn order(&mut self, connected: bool, now: OffsetDateTime) {
        self.ordered = Some((connected, now));
        if connected {
            self.last = now;
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
        match self.ordered {
            Some((connected, _)) => connected,
            None => now - self.last <= CONNECTED_FOR,
        }
    }

    /// When the device last came or went.
    pub(crate) fn changed(&self, now: OffsetDateTime) -> OffsetDateTime {
        match self.ordered {
            Some((_, since)) => since,
            None if self.is_connected(now) => self.connected_since,
            None => self.last + CONNECTED_FOR,
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

    #[test]
    fn what_was_ordered_holds_whatever_comes() {
        let start = datetime!(2026-11-23 12:00 UTC);
        let mut activity = Activity::none(start);
        activity.order(true, start);
        let later = start + Duration::hours(5);
        assert!(activity.is_connected(later));
        assert_eq!((activity.count, activity.changed(later)), (0, start));
        activity.order(false, later);
        activity.note(later);
        assert!(!activity.is_connected(later));
    }
}
