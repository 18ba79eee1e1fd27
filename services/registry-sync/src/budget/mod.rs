//! How much of each hub's quota is used, all replicas together.
//!
//! ```text
//! take ─▶ its turn ─▶ a slot that this replica holds ─▶ wait for its time ─▶ call
//!      (a person's   ▲ none left: reserve a second's worth of `registry.budget`, one statement
//!       needs none)
//! 429  ─▶ the slots are given up, the rate is halved and the pause noted, for every replica
//! ```
//!
//! Durable: `registry.budget`. Kept true: no two replicas call in one slot; a refusal halves the
//! rate once and is not forgotten, and the rate comes back little by little; what happens by itself
//! costs no more of the day's messages than was allowed; a person's call does not wait for a pass.
//! Without its database a replica goes on at a quarter of the rate that it last heard of, since it
//! does not know how many others do: nobody waits for an answer that does not come.

mod class;
mod daily;
mod lane;
mod line;
mod meter;
mod settings;
mod slots;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::quota::{self, OperationClass, Tier};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_hub::budget::{Budget, BudgetSettings};
use hubshift_store::{StoreError, within};
use sqlx::PgPool;
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::store;
use crate::store::budget::{Ask, Refused};
use line::Line;
use slots::{BURST, CATCH_UP, Next, Slots};

pub(crate) use lane::Lane;
pub(crate) use settings::{recovery, settings};

/// A database that takes longer is not asked: calls go on without it.
const LIMIT: Duration = Duration::from_secs(1);
/// When to try again where it can't be told.
const BUSY: Duration = Duration::from_secs(1);
/// No pause is longer, whatever a hub says: a wrong header must not stop it for days.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How far ahead slots are reserved at most, all replicas together: calls wait no longer, and of a
/// slow class a few replicas hold a slot or two each. What lies further ahead was reserved before
/// the database's clock was set back.
const AHEAD: Duration = Duration::from_secs(120);
const AHEAD_SLOTS: f64 = 16.0;
/// No refusal leaves less than this part of the whole rate, or of what the smallest hub allows.
const LEAST_PART: f64 = 1.0 / 16.0;

/// The budget of one hub, shared by the replicas through the database, as one lane uses it. Clones
/// are the same one.
#[derive(Clone)]
pub(crate) struct SharedBudget {
    shared: Arc<Shared>,
    lane: Lane,
}

struct Shared {
    pool: PgPool,
    fleet: FleetId,
    hub: HubId,
    settings: BudgetSettings,
    /// Messages that answers cost and that were not added up yet.
    messages: AtomicU64,
    lines: [Line; class::COUNT],
}

impl fmt::Debug for SharedBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBudget")
            .field("fleet", &self.shared.fleet)
            .field("hub", &self.shared.hub)
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}

impl SharedBudget {
    /// The budget of a hub, for what happens by itself. Asks nothing yet.
    pub(crate) fn new(pool: PgPool, fleet: FleetId, hub: HubId, settings: BudgetSettings) -> Self {
        let now = Instant::now();
        let shared = Arc::new(Shared {
            pool,
            fleet,
            hub,
            settings,
            messages: AtomicU64::new(0),
            lines: std::array::from_fn(|_| Line::new(now)),
        });
        let lane = Lane::Routine;
        Self { shared, lane }
    }

    /// The same budget as another lane uses it.
    pub(crate) fn in_lane(&self, lane: Lane) -> Self {
        let shared = self.shared.clone();
        Self { shared, lane }
    }
}

#[async_trait]
impl Budget for SharedBudget {
    async fn take(&self, class: OperationClass, until: Instant) -> Result<(), Duration> {
        let line = self.shared.line(class);
        // Kept until the call's slot has come.
        let _turn = match self.lane.stands_in_line() {
            true => match tokio::time::timeout_at(until, line.turn.lock()).await {
                Ok(turn) => Some(turn),
                Err(_) => return Err(BUSY),
            },
            false => None,
        };
        loop {
            let pauses = line.pauses();
            let Some(at) = self.shared.slot(class, self.lane, until).await? else {
                return Ok(());
            };
            tokio::time::sleep_until(at).await;
            // A refusal came while this call waited: its slot is from before.
            if line.pauses() == pauses {
                return Ok(());
            }
        }
    }

    fn throttled(&self, class: OperationClass, pause: Duration) {
        let (shared, now) = (&self.shared, Instant::now());
        let pause = slots::seconds(pause.as_secs_f64() / shared.settings.speed);
        let until = now + pause.min(LONGEST_PAUSE);
        let (line, whole) = (shared.line(class), shared.whole(class));
        if !line.refused(now, until, whole, shared.smallest(class)) {
            return;
        }
        // The others are to hear of it now, though nobody here asks again before the pause is over.
        if let Ok(runtime) = Handle::try_current() {
            let shared = shared.clone();
            runtime.spawn(async move { shared.tell_now(class).await });
        }
    }

    fn answered(&self, class: OperationClass) {
        self.shared.line(class).answered(Instant::now());
    }

    fn spent(&self, bytes: usize) {
        let shared = &self.shared;
        if shared.settings.daily_messages.is_some() {
            let cost = daily::messages(shared.settings.tier, bytes);
            shared.messages.fetch_add(cost, Ordering::Relaxed);
        }
    }
}

impl Shared {
    fn line(&self, class: OperationClass) -> &Line {
        &self.lines[class::index(class)]
    }

    fn whole(&self, class: OperationClass) -> Option<f64> {
        self.settings.per_second(class)
    }

    /// What even the smallest hub would allow. Where nobody said how large a hub is, less is not
    /// believed of it: a refusal of the first call tells of what others call, not of the limit.
    fn smallest(&self, class: OperationClass) -> f64 {
        let BudgetSettings { share, speed, .. } = self.settings;
        quota::per_second(Tier::S1, 1, class) * share * speed
    }

    fn stored(&self, class: OperationClass) -> store::budget::Line<'_> {
        store::budget::Line {
            fleet: self.fleet.as_str(),
            hub: self.hub.as_str(),
            class: class.as_str(),
            whole: self.whole(class),
            recovery: recovery(self.settings.speed),
        }
    }

    /// When the call may begin; nothing when it may at once. An error says how long it would have to
    /// wait, when that is beyond `until`; the slot is then left to others.
    async fn slot(
        &self,
        class: OperationClass,
        lane: Lane,
        until: Instant,
    ) -> Result<Option<Instant>, Duration> {
        let line = self.line(class);
        let Ok(mut slots) = tokio::time::timeout_at(until, line.slots.lock()).await else {
            return Err(BUSY);
        };
        if line.must_clear() {
            slots.clear();
        }
        let mut now = Instant::now();
        if lane.is_frugal()
            && let Some(wait) = slots.held(now)
        {
            return Err(wait);
        }
        let mut next = slots.next(now);
        if next == Next::Empty {
            now = self.refill(class, &mut slots).await;
            if lane.is_frugal()
                && let Some(wait) = slots.held(now)
            {
                return Err(wait);
            }
            next = slots.next(now);
        }
        match next {
            Next::Free => Ok(None),
            Next::At(at) if at <= until => {
                slots.take();
                Ok(Some(at))
            }
            Next::At(at) => Err(at.saturating_duration_since(now)),
            Next::Empty => Err(BUSY),
        }
    }

    /// Reserves slots, or makes some up; the moment at which they are held.
    async fn refill(&self, class: OperationClass, slots: &mut Slots) -> Instant {
        let (line, whole) = (self.line(class), self.whole(class));
        let count = slots.wanted(line.stands().0.or(whole));
        let cost = match class {
            OperationClass::Query => self.messages.load(Ordering::Relaxed),
            _ => 0,
        };
        let ask = Ask {
            count: f64::from(count),
            burst: BURST,
            catch_up: CATCH_UP.as_secs_f64(),
            ahead: AHEAD.as_secs_f64(),
            ahead_slots: AHEAD_SLOTS,
            longest_pause: LONGEST_PAUSE.as_secs_f64(),
            messages: i64::try_from(cost).unwrap_or(i64::MAX),
        };
        let reserve = async {
            self.tell(class).await?;
            store::budget::reserve(&self.pool, &self.stored(class), &ask).await
        };
        let reserved = within(LIMIT, reserve).await;
        let now = Instant::now();
        match reserved {
            Ok(reserved) => {
                self.messages.fetch_sub(cost, Ordering::Relaxed);
                line.heard(reserved.rate);
                slots.fill(now, count, reserved.end_in, reserved.rate);
                if class == OperationClass::Query {
                    self.hold(slots, now, &reserved);
                }
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                let (fleet, hub, class) = (self.fleet.as_str(), self.hub.as_str(), class.as_str());
                tracing::debug!(fleet, hub, class, error, "nobody to share a budget with");
                let (rate, paused_until) = line.stands();
                slots.lapse(now, rate.or(whole), paused_until);
            }
        }
        now
    }

    /// Keeps frugal queries back that the day's messages have no room for.
    fn hold(&self, slots: &mut Slots, now: Instant, reserved: &store::budget::Reserved) {
        let Some(allowance) = self.settings.daily_messages else {
            return;
        };
        let spent = u64::try_from(reserved.spent).unwrap_or(0);
        if let Some(wait) = daily::wait(spent, allowance, slots::seconds(reserved.of_day)) {
            let (fleet, hub) = (self.fleet.as_str(), self.hub.as_str());
            tracing::info!(
                fleet,
                hub,
                spent,
                ?wait,
                "sweeps wait: the messages of this day's queries are spent"
            );
            slots.hold(now + wait);
        }
    }

    /// Tells the other replicas of a refusal, if there is one to be told.
    async fn tell(&self, class: OperationClass) -> Result<(), StoreError> {
        let line = self.line(class);
        let Some(refusal) = line.untold(Instant::now()) else {
            return Ok(());
        };
        let whole = self.whole(class);
        let known = whole.unwrap_or_else(|| self.smallest(class));
        let refused = Refused {
            rate: whole.unwrap_or(refusal.answered).max(known),
            least: known * LEAST_PART,
            pause: refusal.pause.as_secs_f64(),
            longest_pause: LONGEST_PAUSE.as_secs_f64(),
        };
        store::budget::refuse(&self.pool, &self.stored(class), &refused).await?;
        line.told(refusal.number);
        Ok(())
    }

    /// As [`Shared::tell`]; what can't be told now is told before the next slots are reserved.
    async fn tell_now(&self, class: OperationClass) {
        if let Err(error) = within(LIMIT, self.tell(class)).await {
            let error = &error as &dyn std::error::Error;
            let (fleet, hub, class) = (self.fleet.as_str(), self.hub.as_str(), class.as_str());
            tracing::debug!(fleet, hub, class, error, "a refusal is told later");
        }
    }
}

#[cfg(test)]
mod tests;
