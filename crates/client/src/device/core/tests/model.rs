//! Random lives of a device, with canaries, restarts and clocks that jump.

use super::canary::{LIFE, began, canary_route, restart};
use super::*;

/// One thing that happens to a device.
#[derive(Debug, Clone, Copy)]
enum Event {
    Answer(u64, u64, u64),
    NotModified,
    NoAnswer,
    Failed,
    Lost,
    Restart,
    /// The clock is off by so many seconds from now on.
    Clock(i64),
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1u64..4, 0u64..2, 1u64..6).prop_map(|(k, hub, version)| Event::Answer(k, hub, version)),
        2 => Just(Event::NotModified),
        2 => Just(Event::NoAnswer),
        1 => Just(Event::Failed),
        1 => Just(Event::Lost),
        1 => Just(Event::Restart),
        1 => (-2_000i64..2_000).prop_map(Event::Clock),
    ]
}

/// Of each epoch: a plain route, one canary for two versions, another one, a plain route.
static ROUTES: LazyLock<HashMap<(u64, u64), Answer>> = LazyLock::new(|| {
    let epochs = (1..4).flat_map(|k| [k * 1024, k * 1024 + 1]);
    let orders = epochs.flat_map(|epoch| (1..6).map(move |version| (epoch, version)));
    let make = |(epoch, version): (u64, u64)| match version {
        2 | 3 => answer(&canary_route(epoch, version, "c-1", 200), &key()),
        4 => answer(&canary_route(epoch, version, "c-2", 200), &key()),
        _ => good(epoch, version),
    };
    orders.map(|order| (order, make(order))).collect()
});

/// The world around a device: the true time, and what its clock makes of it.
struct World {
    core: Core,
    now: Instant,
    time: OffsetDateTime,
    skew: i64,
    has_clock: bool,
    highest: (u64, u64),
    /// The epoch and canary that the device is at, and since when.
    seen: Option<(String, Instant)>,
}

impl World {
    fn clock(&self) -> OffsetDateTime {
        self.time + time::Duration::seconds(self.skew)
    }

    fn tell_time(&mut self) {
        if self.has_clock {
            let clock = self.clock();
            self.core.on_clock(clock, self.now);
        }
    }

    fn happen(&mut self, event: Event) {
        self.tell_time();
        let now = self.now;
        match event {
            Event::Answer(k, hub, version) => {
                let offered = (k * 1024 + hub, version);
                self.core.on_answer(&ROUTES[&offered], now, 3).unwrap();
                self.highest = self.highest.max(offered);
            }
            Event::NotModified => self.core.on_not_modified(now, 3),
            Event::NoAnswer => self.core.on_failure(now, 3),
            Event::Failed => self.core.on_connect_failed("refused", now, 3),
            Event::Lost => self.core.on_disconnected(now, 3),
            Event::Restart => {
                let clock = self.has_clock.then(|| self.clock());
                if self.core.held(now).is_some() {
                    self.core = restart(&self.core, Duration::ZERO, clock, now);
                }
            }
            Event::Clock(skew) => self.skew = skew,
        }
    }

    /// What must be true at any time.
    fn check(&mut self) -> Result<(), TestCaseError> {
        let Some(decision) = self.core.decision_at(self.now) else {
            return Ok(());
        };
        let (epoch, version) = decision.route.order();
        prop_assert_eq!((epoch.0, version), self.highest);
        // The timer fires: no slot lies further ahead than the window, the cohort's window, and the
        // longest backoff together.
        let window = Duration::from_millis(decision.route.admission.window_ms);
        prop_assert!(decision.connect_at <= self.now + window + MINUTE * 2);
        if decision.endpoint.hub.as_str() != "south" {
            prop_assert_eq!(decision.until, None);
            return Ok(());
        }
        let canary = decision.route.canary();
        let canary = canary.map(|canary| format!("{epoch}/{}", canary.id));
        prop_assert!(canary.is_some(), "at a canary that the route has not");
        let canary = canary.unwrap_or_default();
        let seen = self.seen.take().filter(|(id, _)| *id == canary);
        let (id, since) = seen.unwrap_or((canary, self.now));
        prop_assert!(self.now < since + LIFE, "longer than its life");
        prop_assert!(decision.until.is_some_and(|until| until > self.now));
        self.seen = Some((id, since));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn no_device_is_ever_at_a_canary_after_its_end(
        steps in prop::collection::vec((events(), 0u64..400), 1..60),
        has_clock in any::<bool>(),
    ) {
        let now = Instant::now();
        let mut world = World {
            core: device(now),
            now,
            time: began(),
            skew: 0,
            has_clock,
            highest: (0, 0),
            seen: None,
        };
        let mut was_off = false;
        for (event, seconds) in steps {
            was_off |= matches!(event, Event::Clock(_));
            world.now += Duration::from_secs(seconds);
            world.time += Duration::from_secs(seconds);
            let before = world.core.decision_at(world.now);
            world.happen(event);
            world.check()?;
            let after = world.core.decision_at(world.now);
            let at_canary = after.as_ref().is_some_and(|after| after.until.is_some());
            if has_clock && !was_off && at_canary {
                prop_assert!(world.time < began() + LIFE, "after the signed end");
            }
            // A poll that changes nothing restarts no timer.
            let is_quiet = matches!(event, Event::NotModified | Event::NoAnswer);
            if let (true, false, Some(before), Some(after)) = (is_quiet, was_off, before, after) {
                prop_assert_eq!(before.connect_at, after.connect_at);
                prop_assert_eq!(before.endpoint, after.endpoint);
            }
        }
    }
}
