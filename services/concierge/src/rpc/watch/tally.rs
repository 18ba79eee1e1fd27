//! What the watchers of one thread were sent, told to the metrics a few times a second and not per
//! frame.

/// Counts since they were told last.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// States that were sent.
    pub(super) changes: u64,
    /// Heartbeats that were sent.
    pub(super) heartbeats: u64,
    /// States that a watcher did not get, because a newer one came first.
    pub(super) coalesced: u64,
    /// Streams that were ended because nobody read them.
    pub(super) slow: u64,
}

impl Tally {
    /// Tells them.
    pub(super) fn tell(self) {
        let frames = "hubshift_watch_frames_total";
        metrics::counter!(frames, "kind" => "change").increment(self.changes);
        metrics::counter!(frames, "kind" => "heartbeat").increment(self.heartbeats);
        metrics::counter!("hubshift_watch_coalesced_total").increment(self.coalesced);
        metrics::counter!("hubshift_watch_slow_total").increment(self.slow);
    }
}
