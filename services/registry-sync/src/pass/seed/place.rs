//! Where a seeding is. Pure.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// A job is looked at after a second at first, and then less and less often.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(1);
/// How often a job may be asked for of which nobody knows whether it was begun.
const UNANSWERED: u32 = 3;

/// A stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// By a job, or by calls?
    #[default]
    Decide,
    /// The job gets its row.
    Open,
    /// A file is written.
    Write,
    /// The hub is asked to import it.
    Import,
    /// The import is waited for.
    WatchImport,
    /// What it did not carry out is read.
    Log,
    /// The hub is asked for an export.
    Export,
    /// The export is waited for.
    WatchExport,
    /// What it shows is stored.
    Observe,
    /// Bases follow.
    Base,
    /// Nothing of the job stays.
    Clean,
    /// The rest is for calls.
    Over,
}

/// What a seeding remembers between turns.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::pass) struct Seed {
    pub(super) stage: Stage,
    /// The job's id, which its row and its blobs have.
    pub(super) job: Option<Uuid>,
    /// The file that is at work, from 1.
    pub(super) file: i32,
    /// The last device of that file; then the last one whose base followed.
    pub(super) after: String,
    /// Whether no other file follows.
    pub(super) is_last: bool,
    /// Whether an import was perhaps begun.
    pub(super) has_begun: bool,
    /// Since when something is in the way, by the database's clock.
    pub(super) busy_since: Option<OffsetDateTime>,
    /// How often the job that runs was looked at.
    pub(super) looks: u32,
    /// How often in a row nobody knew whether a job was begun.
    pub(super) unanswered: u32,
}

impl Seed {
    /// One that makes nothing.
    pub(super) fn over() -> Self {
        Self {
            stage: Stage::Over,
            ..Self::default()
        }
    }

    /// One that begins, under an id of its own.
    pub(super) fn begin(job: Uuid) -> Self {
        Self {
            stage: Stage::Open,
            job: Some(job),
            ..Self::default()
        }
    }

    /// The hub was asked, and may be at it.
    pub(super) fn asked(&mut self, is_export: bool, is_answered: bool) {
        self.stage = if is_export {
            Stage::WatchExport
        } else {
            Stage::WatchImport
        };
        self.has_begun |= !is_export;
        (self.busy_since, self.looks) = (None, 0);
        self.unanswered = if is_answered { 0 } else { self.unanswered + 1 };
    }

    /// The hub certainly did not begin what it was asked for: whether it is asked again.
    pub(super) fn not_begun(&mut self, is_export: bool) -> bool {
        if self.unanswered >= UNANSWERED {
            self.give_up(is_export);
            return false;
        }
        self.stage = if is_export {
            Stage::Export
        } else {
            Stage::Import
        };
        true
    }

    /// What the hub was at is over.
    pub(super) fn done(&mut self, is_export: bool) {
        self.stage = if is_export {
            Stage::Observe
        } else {
            Stage::Log
        };
        (self.looks, self.unanswered) = (0, 0);
    }

    /// The file of which the log was read is done.
    pub(super) fn next_file(&mut self) {
        self.stage = if self.is_last {
            Stage::Export
        } else {
            Stage::Write
        };
    }

    /// No more is made by jobs. What may have been made is still to be seen.
    pub(super) fn give_up(&mut self, is_export: bool) {
        let is_there_to_see = self.has_begun && !is_export;
        self.stage = if is_there_to_see {
            Stage::Export
        } else {
            Stage::Clean
        };
        (self.is_last, self.busy_since, self.unanswered) = (true, None, 0);
    }

    /// Whether what is in the way is waited for once more.
    pub(super) fn is_worth_waiting(&mut self, now: OffsetDateTime, longest: Duration) -> bool {
        let since = *self.busy_since.get_or_insert(now);
        now - since < longest
    }

    /// How long until the next look at a job that runs.
    pub(super) fn next_look(&mut self, longest: Duration) -> Duration {
        let pause = FIRST_LOOK.saturating_mul(1_u32 << self.looks.min(10));
        self.looks += 1;
        pause.min(longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(stage: Stage) -> Seed {
        Seed {
            stage,
            ..Seed::begin(Uuid::nil())
        }
    }

    #[test]
    fn files_follow_each_other_and_an_export_the_last_one() {
        let mut seed = seed(Stage::Import);
        seed.asked(false, true);
        assert_eq!(seed.stage, Stage::WatchImport);
        seed.done(false);
        assert_eq!(seed.stage, Stage::Log);
        seed.next_file();
        assert_eq!(seed.stage, Stage::Write);
        (seed.stage, seed.is_last) = (Stage::Log, true);
        seed.next_file();
        assert_eq!(seed.stage, Stage::Export);
        seed.asked(true, true);
        seed.done(true);
        assert_eq!(seed.stage, Stage::Observe);
    }

    #[test]
    fn who_gives_up_looks_at_what_was_perhaps_made() {
        let mut nothing = seed(Stage::Import);
        nothing.give_up(false);
        assert_eq!(nothing.stage, Stage::Clean);
        let mut some = seed(Stage::Import);
        some.asked(false, false);
        some.give_up(false);
        assert_eq!((some.stage, some.is_last), (Stage::Export, true));
        some.give_up(true);
        assert_eq!(some.stage, Stage::Clean);
    }

    #[test]
    fn a_start_that_nobody_answers_is_tried_three_times() {
        let mut seed = seed(Stage::Import);
        for _ in 0..2 {
            seed.asked(false, false);
            assert!(seed.not_begun(false));
            assert_eq!(seed.stage, Stage::Import);
        }
        seed.asked(false, false);
        assert!(!seed.not_begun(false));
        assert_eq!(seed.stage, Stage::Export);
        // An answer makes up for those that did not come.
        seed.asked(true, false);
        seed.asked(true, true);
        assert!(seed.not_begun(true));
    }

    #[test]
    fn looks_are_rarer_and_rarer_and_waiting_has_an_end() {
        let mut seed = seed(Stage::WatchImport);
        let longest = Duration::from_secs(10);
        let pauses: Vec<u64> = (0..6).map(|_| seed.next_look(longest).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
        seed.looks = u32::MAX - 1;
        assert_eq!(seed.next_look(longest), longest);
        let begun = OffsetDateTime::UNIX_EPOCH;
        assert!(seed.is_worth_waiting(begun, longest));
        assert!(seed.is_worth_waiting(begun + Duration::from_secs(9), longest));
        assert!(!seed.is_worth_waiting(begun + longest, longest));
    }

    #[test]
    fn a_state_from_before_there_was_seeding_reads_as_one_that_has_to_decide() {
        let seed: Seed = serde_json::from_str("{}").unwrap();
        assert_eq!((seed.stage, seed.job), (Stage::Decide, None));
    }
}
