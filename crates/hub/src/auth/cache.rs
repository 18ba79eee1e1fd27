//! When a token is used again and when a new one is asked for, as rules over moments.

use std::time::{Duration, SystemTime};

use hubshift_azure::Secret;
use tokio::time::Instant;

use super::AuthError;

/// A token is renewed this long before its end, or at half of its life if that is shorter.
const RENEW_BEFORE: Duration = Duration::from_secs(300);
/// After a failure nobody is asked again for so long: a hundred calls must not ask a hundred times.
const QUIET: Duration = Duration::from_secs(5);
/// A token that the hub refused is replaced only if it is older: where it is the role that is
/// missing, a new one does not help.
const MIN_AGE: Duration = Duration::from_secs(60);
/// No token is kept for longer, whatever it says of itself.
const MAX_LIFE: Duration = Duration::from_secs(24 * 3600);

/// A moment by two clocks. The steady one stands still while the machine sleeps, the wall clock may
/// be set: a token that is over by one of them is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    steady: Instant,
    wall: SystemTime,
}

impl Moment {
    pub(super) fn now() -> Self {
        Self {
            steady: Instant::now(),
            wall: SystemTime::now(),
        }
    }

    fn after(self, span: Duration) -> Self {
        Self {
            steady: self.steady + span,
            wall: self.wall + span,
        }
    }

    fn is_before(self, end: Self) -> bool {
        self.steady < end.steady && self.wall < end.wall
    }
}

/// The token that is held, and the last failure to get one.
#[derive(Debug, Default)]
pub(super) struct Cache {
    token: Option<Held>,
    /// Until when nobody is asked again, and why not.
    failure: Option<(Instant, AuthError)>,
}

#[derive(Debug)]
struct Held {
    token: Secret,
    since: Instant,
    renew_at: Moment,
    end: Moment,
}

/// What a caller is to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Use this token.
    Use(Secret),
    /// Ask for a new one; meanwhile the old one, if there is one, still does.
    Renew(Option<Secret>),
    /// Nothing: the last try failed just now.
    Fail(AuthError),
}

impl Cache {
    pub(super) fn look(&self, now: Moment) -> Look {
        let held = self.token.as_ref().filter(|held| now.is_before(held.end));
        let failure = self.failure.as_ref();
        let recent = failure.filter(|(until, _)| now.steady < *until);
        match (held, recent) {
            (Some(held), Some(_)) => Look::Use(held.token.clone()),
            (Some(held), None) if now.is_before(held.renew_at) => Look::Use(held.token.clone()),
            (Some(held), None) => Look::Renew(Some(held.token.clone())),
            (None, Some((_, error))) => Look::Fail(error.clone()),
            (None, None) => Look::Renew(None),
        }
    }

    /// A token came that is good for `life`.
    pub(super) fn granted(&mut self, token: Secret, life: Duration, now: Moment) {
        let life = life.min(MAX_LIFE);
        self.token = Some(Held {
            token,
            since: now.steady,
            renew_at: now.after(life.saturating_sub(RENEW_BEFORE.min(life / 2))),
            end: now.after(life),
        });
        self.failure = None;
    }

    /// None came. The one that is held stays.
    pub(super) fn failed(&mut self, error: AuthError, now: Moment) {
        self.failure = Some((now.steady + QUIET, error));
    }

    /// The token that is held was not accepted.
    pub(super) fn refused(&mut self, now: Moment) {
        let is_young = |held: &Held| now.steady < held.since + MIN_AGE;
        self.token = self.token.take().filter(is_young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn after(start: Moment, seconds: u64) -> Moment {
        start.after(Duration::from_secs(seconds))
    }

    fn secret() -> Secret {
        Secret::new("Bearer a")
    }

    fn held(life: Duration) -> (Cache, Moment) {
        let (mut cache, start) = (Cache::default(), Moment::now());
        cache.granted(secret(), life, start);
        (cache, start)
    }

    #[test]
    fn a_token_is_renewed_five_minutes_before_its_end() {
        let (cache, start) = held(HOUR);
        assert_eq!(cache.look(after(start, 3299)), Look::Use(secret()));
        assert_eq!(cache.look(after(start, 3300)), Look::Renew(Some(secret())));
        assert_eq!(cache.look(after(start, 3600)), Look::Renew(None));
    }

    #[test]
    fn a_token_ends_while_the_machine_sleeps_and_though_the_clock_is_set_back() {
        let (cache, start) = held(HOUR);
        let slept = Moment {
            wall: start.wall + HOUR,
            ..after(start, 1)
        };
        assert_eq!(cache.look(slept), Look::Renew(None));
        let set_back = Moment {
            wall: start.wall - HOUR,
            ..after(start, 3600)
        };
        assert_eq!(cache.look(set_back), Look::Renew(None));
    }

    #[test]
    fn a_short_token_is_renewed_at_half_of_its_life() {
        let (cache, start) = held(Duration::from_secs(20));
        assert_eq!(cache.look(after(start, 9)), Look::Use(secret()));
        assert_eq!(cache.look(after(start, 10)), Look::Renew(Some(secret())));
    }

    #[test]
    fn a_failure_is_not_repeated_at_once_and_does_not_take_the_token() {
        let error = AuthError::Unreachable("gone".to_owned());
        let (mut cache, start) = held(HOUR);
        cache.failed(error.clone(), after(start, 3400));
        assert_eq!(cache.look(after(start, 3401)), Look::Use(secret()));
        assert_eq!(cache.look(after(start, 3405)), Look::Renew(Some(secret())));
        cache.failed(error.clone(), after(start, 3599));
        assert_eq!(cache.look(after(start, 3600)), Look::Fail(error));
        assert_eq!(cache.look(after(start, 3604)), Look::Renew(None));
    }

    #[test]
    fn a_refused_token_goes_unless_it_is_new() {
        let (mut cache, start) = held(HOUR);
        cache.refused(after(start, 59));
        assert_eq!(cache.look(after(start, 59)), Look::Use(secret()));
        cache.refused(after(start, 60));
        assert_eq!(cache.look(after(start, 60)), Look::Renew(None));
    }

    #[test]
    fn no_token_shows_in_debug() {
        let (cache, _) = held(HOUR);
        assert!(!format!("{cache:?}").contains("Bearer"));
    }
}
