//! When a token is used again and when a new one is asked for, as rules over moments.

use std::time::Duration;

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

/// The token that is held, and the last failure to get one.
#[derive(Debug, Default)]
pub(super) struct Cache {
    token: Option<Held>,
    failure: Option<(Instant, AuthError)>,
}

#[derive(Debug)]
struct Held {
    token: Secret,
    since: Instant,
    renew_at: Instant,
    end: Instant,
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
    pub(super) fn look(&self, now: Instant) -> Look {
        let held = self.token.as_ref().filter(|held| now < held.end);
        let failure = self.failure.as_ref();
        let recent = failure.filter(|(at, _)| now < *at + QUIET);
        match (held, recent) {
            (Some(held), Some(_)) => Look::Use(held.token.clone()),
            (Some(held), None) if now < held.renew_at => Look::Use(held.token.clone()),
            (Some(held), None) => Look::Renew(Some(held.token.clone())),
            (None, Some((_, error))) => Look::Fail(error.clone()),
            (None, None) => Look::Renew(None),
        }
    }

    /// A token came that is good for `life`.
    pub(super) fn granted(&mut self, token: Secret, life: Duration, now: Instant) {
        let life = life.min(MAX_LIFE);
        self.token = Some(Held {
            token,
            since: now,
            renew_at: now + life.saturating_sub(RENEW_BEFORE.min(life / 2)),
            end: now + life,
        });
        self.failure = None;
    }

    /// None came. The one that is held stays.
    pub(super) fn failed(&mut self, error: AuthError, now: Instant) {
        self.failure = Some((now, error));
    }

    /// The token that is held was not accepted.
    pub(super) fn refused(&mut self, now: Instant) {
        let is_young = |held: &Held| now < held.since + MIN_AGE;
        self.token = self.token.take().filter(is_young);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    fn secret() -> Secret {
        Secret::new("Bearer a")
    }

    fn held(life: Duration) -> (Cache, Instant) {
        let (mut cache, start) = (Cache::default(), Instant::now());
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
