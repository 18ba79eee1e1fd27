//! L16: events in any order, any of them repeated, have the effect that they have in order, once.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::inbox::{
    Accepted, Decision, Envelope, Event, EventKind, KeyState, Now, OriginState, receive,
};
use proptest::prelude::*;
use proptest::sample::select;
use time::OffsetDateTime;

const KEYS: usize = 3;

fn cases(at_least: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|text| text.parse().ok()).unwrap_or(0);
    ProptestConfig {
        cases: at_least.max(asked),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// An event of one of the keys, with the number that it carries.
#[derive(Debug, Clone)]
struct Sent {
    key: usize,
    amount: i64,
    envelope: Envelope,
}

/// What the events of one origin say, in order: each key counts its own versions.
fn sent(plan: Vec<(usize, EventKind, i64)>) -> Vec<Sent> {
    let mut versions = [0u64; KEYS];
    let numbered = plan.into_iter().zip(1u64..);
    numbered
        .map(|((key, kind, amount), seq)| {
            versions[key] += 1;
            Sent {
                key,
                amount,
                envelope: Envelope {
                    seq,
                    event_id: format!("event-{seq}"),
                    hash: [seq as u8; 32],
                    event: Event {
                        kind,
                        key_version: versions[key],
                        epoch: Epoch(1024),
                        incarnation: 1,
                    },
                },
            }
        })
        .collect()
}

/// What a service would store: one value a key, and how often each event took effect.
#[derive(Debug, Default)]
struct World {
    origin: OriginState,
    keys: [KeyState; KEYS],
    values: [Option<i64>; KEYS],
    parked: BTreeMap<(usize, u64), Sent>,
    effects: BTreeMap<u64, u32>,
}

impl World {
    fn deliver(&mut self, sent: &Sent) {
        let now = Now {
            epoch: Epoch(1024),
            deleted_up_to: 0,
            time: OffsetDateTime::UNIX_EPOCH,
        };
        let key = &mut self.keys[sent.key];
        let (accepted, step) = receive(&mut self.origin, key, &sent.envelope, &now);
        let Some(step) = step else {
            assert_eq!(accepted, Accepted::Duplicate);
            return;
        };
        let version = sent.envelope.event.key_version;
        match step.decision {
            Decision::Apply => self.apply(sent),
            Decision::Park => drop(self.parked.insert((sent.key, version), sent.clone())),
            Decision::Stale => {}
            other => panic!("unexpected {other}"),
        }
        for version in step.released {
            let parked = self.parked.remove(&(sent.key, version)).unwrap();
            self.apply(&parked);
        }
    }

    fn apply(&mut self, sent: &Sent) {
        *self.effects.entry(sent.envelope.seq).or_default() += 1;
        let value = &mut self.values[sent.key];
        *value = match sent.envelope.event.kind {
            EventKind::State => Some(sent.amount),
            EventKind::Delta => Some(value.unwrap_or(0) + sent.amount),
            EventKind::Delete => None,
        };
    }
}

fn delivered(events: &[Sent]) -> World {
    let mut world = World::default();
    events.iter().for_each(|sent| world.deliver(sent));
    world
}

fn any_plan() -> impl Strategy<Value = Vec<(usize, EventKind, i64)>> {
    let kind = prop_oneof![
        4 => Just(EventKind::Delta),
        2 => Just(EventKind::State),
        1 => select(EventKind::ALL.to_vec()),
    ];
    prop::collection::vec((0..KEYS, kind, -9i64..9), 0..30)
}

/// The events in order, and shuffled with some of them up to three times.
fn any_delivery() -> impl Strategy<Value = (Vec<Sent>, Vec<Sent>)> {
    any_plan().prop_map(sent).prop_flat_map(|events| {
        let repeats = prop::collection::vec(1usize..4, events.len());
        let all = events.clone();
        let shuffled = repeats.prop_flat_map(move |repeats| {
            let copies = all.iter().zip(repeats);
            let copies = copies.flat_map(|(sent, n)| vec![sent.clone(); n]);
            Just(copies.collect::<Vec<Sent>>()).prop_shuffle()
        });
        (Just(events), shuffled)
    })
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_interleaving_with_duplicates_is_in_order_once((events, shuffled) in any_delivery()) {
        let in_order = delivered(&events);
        let mixed = delivered(&shuffled);
        prop_assert_eq!(mixed.values, in_order.values);
        prop_assert!(mixed.effects.values().all(|times| *times == 1));
        prop_assert_eq!(mixed.origin.low_water(), events.len() as u64);
        for (one, other) in mixed.keys.iter().zip(&in_order.keys) {
            prop_assert_eq!(one.is_deleted(), other.is_deleted());
            prop_assert_eq!(one.parked().count(), 0);
        }
    }

    /// The same state machine, stored and read back between any two events.
    #[test]
    fn stored_state_goes_on_where_it_was((events, shuffled) in any_delivery()) {
        let mut world = World::default();
        for sent in &shuffled {
            world.deliver(sent);
            let origin = &world.origin;
            world.origin = OriginState::restore(origin.low_water(), origin.above());
            for key in &mut world.keys {
                *key = KeyState::restore(key.last(), key.is_deleted(), key.parked());
            }
        }
        prop_assert_eq!(world.values, delivered(&events).values);
    }
}

#[test]
fn an_event_under_a_used_name_is_a_dead_letter_and_changes_nothing() {
    let events = sent(vec![(0, EventKind::State, 1), (0, EventKind::State, 2)]);
    let mut world = delivered(&events);
    let mut forged = events[1].clone();
    forged.envelope.hash = [0xff; 32];
    forged.envelope.event.key_version = 3;
    let now = Now {
        epoch: Epoch(1024),
        deleted_up_to: 0,
        time: OffsetDateTime::UNIX_EPOCH,
    };
    let (accepted, step) = receive(
        &mut world.origin,
        &mut world.keys[0],
        &forged.envelope,
        &now,
    );
    assert_eq!(accepted, Accepted::Equivocation);
    assert_eq!(step.unwrap().decision, Decision::DeadLetter);
    assert_eq!(world.keys[0].last(), 2);
}
