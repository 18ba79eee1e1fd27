//! Throttling as a tier's hub does it: calls over the rate wait their turn, and when the wait
//! would be too long they are refused.
//!
//! Owns a bucket for each class of operations and the counters. Nothing is durable: a restarted
//! hub owes nobody.
//!
//! Keeps true: no class takes more calls than its rate and one burst, whoever asks; a call that is
//! refused was not carried out and took nothing from the others.

mod allowance;
mod bucket;
pub(crate) mod cost;
mod lane;
mod settings;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderValue, Response, Version, header};
use hubshift_azure::ErrorCode;
use hubshift_azure::quota::OperationClass;
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::operation::Class;

use allowance::Allowance;
use lane::{Lane, Turn};

pub(crate) use lane::Counts;
pub(crate) use settings::Settings;

/// The hub's quotas, and what is left of them.
pub(crate) struct Throttle(Mutex<State>);

struct State {
    settings: Settings,
    /// When its clock began.
    since: Instant,
    lanes: Vec<(Class, Lane)>,
    messages: Allowance,
}

/// A place in the queue of a class, given up when dropped: also when the client goes away.
struct Place<'a> {
    throttle: &'a Throttle,
    class: Class,
}

impl Throttle {
    pub(crate) fn new(settings: Settings) -> Self {
        Self(Mutex::new(State {
            settings,
            since: Instant::now(),
            lanes: Vec::new(),
            messages: Allowance::default(),
        }))
    }

    /// Throttles otherwise from now on. Buckets are full again, and what was counted stays.
    pub(crate) fn set(&self, settings: Settings) {
        let mut state = self.state();
        state.settings = settings;
        state.since = Instant::now();
        state.messages = Allowance::default();
        for (_, lane) in &mut state.lanes {
            lane.empty();
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        self.state().settings
    }

    /// What each class that was asked for let through, refused and has waiting.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, Counts> {
        let state = self.state();
        let lanes = state.lanes.iter();
        lanes
            .map(|(class, lane)| (name(*class), lane.counts()))
            .collect()
    }

    /// How many calls of a class were refused.
    pub(crate) fn refused(&self, class: OperationClass) -> u64 {
        self.counts()
            .get(class.as_str())
            .map_or(0, |counts| counts.refused)
    }

    /// Waits for the turn of a call. One whose turn would come too late is told so when that time
    /// is over, as the real hub does it: [`ErrorCode::ThrottlingBacklogTimeout`].
    pub(crate) async fn admit(&self, class: Class, cost: u32) -> Result<(), Refusal> {
        let (turn, speed) = self.ask(class, cost);
        let (wait, is_late) = match turn {
            Turn::Now => return Ok(()),
            Turn::Full => return Err(refusal(ErrorCode::ThrottleBacklogLimitExceeded, class)),
            Turn::After(wait) => (wait, false),
            Turn::TooLate(wait) => (wait, true),
        };
        let place = Place {
            throttle: self,
            class,
        };
        tokio::time::sleep(real(wait, speed)).await;
        drop(place);
        if is_late {
            Err(refusal(ErrorCode::ThrottlingBacklogTimeout, class))
        } else {
            Ok(())
        }
    }

    /// Whether a device may send one more message today.
    pub(crate) fn check_messages(&self) -> Result<(), Refusal> {
        let state = self.state();
        let Some(quota) = state.settings.quota() else {
            return Ok(());
        };
        let (used, most) = (state.messages.used(state.now()), quota.daily_messages());
        if used < most {
            return Ok(());
        }
        let words = format!("the hub took {used} of {most} messages today");
        Err(Refusal::new(ErrorCode::IotHubQuotaExceeded, words))
    }

    /// Counts a message that a device has sent.
    pub(crate) fn count_message(&self) {
        let mut state = self.state();
        let now = state.now();
        state.messages.count(now);
    }

    /// The headers of a 429: the connection ends with it, and when to come back is told only if
    /// that is ordered, for this call or for all, because the real hub does not tell.
    pub(crate) fn mark<B>(
        &self,
        refusal: &mut Response<B>,
        version: Version,
        retry_after: Option<u32>,
    ) {
        let headers = refusal.headers_mut();
        if version < Version::HTTP_2 {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = retry_after.or(self.settings().retry_after) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
    }

    fn ask(&self, class: Class, cost: u32) -> (Turn, f64) {
        let mut state = self.state();
        let settings = state.settings;
        let Some(rate) = settings.rate(class) else {
            return (Turn::Now, settings.speed);
        };
        let now = state.now();
        let turn = state.lane(class).ask(rate, f64::from(cost), now, &settings);
        (turn, settings.speed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Seconds of the hub's clock.
    fn now(&self) -> f64 {
        self.since.elapsed().as_secs_f64() * self.settings.speed
    }

    fn lane(&mut self, class: Class) -> &mut Lane {
        let found = self.lanes.iter().position(|(known, _)| *known == class);
        let index = found.unwrap_or_else(|| {
            self.lanes.push((class, Lane::default()));
            self.lanes.len() - 1
        });
        &mut self.lanes[index].1
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.throttle.state().lane(self.class).leave();
    }
}

/// Seconds of the hub's clock as they pass for its clients.
fn real(seconds: f64, speed: f64) -> Duration {
    Duration::try_from_secs_f64(seconds / speed).unwrap_or(Duration::MAX)
}

/// How a call of a class is refused.
pub(crate) fn refusal(code: ErrorCode, class: Class) -> Refusal {
    let words = format!(
        "The request has been throttled. Wait 10 seconds and try again. Operation type: {}",
        operation_type(class)
    );
    Refusal::new(code, words)
}

/// The name of a class in the counters.
fn name(class: Class) -> &'static str {
    match class {
        Class::Registry => OperationClass::Registry.as_str(),
        Class::Query => OperationClass::Query.as_str(),
        Class::TwinRead => OperationClass::TwinRead.as_str(),
        Class::TwinWrite => OperationClass::TwinWrite.as_str(),
        Class::Job => OperationClass::Job.as_str(),
        Class::Configuration => OperationClass::Configuration.as_str(),
        Class::Device => "device",
        Class::Free => "free",
    }
}

/// What the hub calls a class when it refuses. `CRUD` and `ConfigurationWrite` were seen at a real
/// hub; the others are made up after them.
fn operation_type(class: Class) -> &'static str {
    match class {
        Class::Registry => "CRUD",
        Class::Query => "Query",
        Class::TwinRead => "TwinRead",
        Class::TwinWrite => "TwinWrite",
        Class::Job => "Job",
        Class::Configuration => "ConfigurationWrite",
        Class::Device => "DeviceToCloud",
        Class::Free => "None",
    }
}

#[cfg(test)]
mod tests;
