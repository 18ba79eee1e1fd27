//! One poll, exchange by exchange.
//!
//! ```text
//! begin ─▶ ask a concierge ─▶ believed ─▶ (present the held route | look for newer keys) ─▶ over
//!              ▲       └─▶ unknown key ─▶ ask it for its keys ─▶ believed
//!              └── no answer, or not believed: the next concierge, if there is one ─▶ over
//! ```
//!
//! An exchange owns what it needs: who waits for its reply may look at the device meanwhile.

use std::time::Instant;

use hubshift_domain::id::FleetId;
use hubshift_domain::pacing;
use hubshift_domain::route::RouteError;
use reqwest::{Client, Url};

use super::{Audience, DeviceClient, KEYS_PERIOD};
use crate::device::http::{self, Got, Question};
use crate::device::{Answer, Core, HttpError, Outcome, PollError, Refused};

/// A request that is about to be sent.
pub(in crate::device) struct Exchange {
    client: Client,
    concierge: Url,
    what: What,
}

enum What {
    /// A question, and the tag of what is held.
    Ask(Question, Option<String>),
    /// The key set; an answer under an unknown key waits for it.
    Keys(Option<Told>),
    /// The route that is held, for a concierge that knows less.
    Present(FleetId, String),
}

/// An answer and its tag.
type Told = (Answer, Option<String>);

/// What came back.
pub(in crate::device) enum Reply {
    Ask(Result<Got, HttpError>),
    Keys(Result<Vec<u8>, HttpError>, Option<Told>),
    Present(Result<(), HttpError>),
}

impl Exchange {
    /// Sends it and waits for the reply.
    pub(in crate::device) async fn send(self) -> Reply {
        let Self {
            client,
            concierge,
            what,
        } = self;
        match what {
            What::Ask(question, etag) => {
                Reply::Ask(http::ask(&client, &concierge, &question, etag.as_deref()).await)
            }
            What::Keys(waiting) => {
                Reply::Keys(http::key_document(&client, &concierge).await, waiting)
            }
            What::Present(fleet, route) => {
                Reply::Present(http::present(&client, &concierge, &fleet, &route).await)
            }
        }
    }
}

impl DeviceClient {
    /// Begins a poll; `None`: every concierge asked for time, and the poll is over.
    pub(in crate::device) fn begin(&mut self, now: Instant) -> Option<Exchange> {
        self.tell_time();
        self.left = self.concierges.order(now);
        self.trouble = self.left.is_empty().then_some(PollError::HeldOff);
        self.ask_next(now)
    }

    /// Takes a reply; `None`: the poll is over.
    pub(in crate::device) fn take(&mut self, reply: Reply) -> Option<Exchange> {
        let now = Instant::now();
        self.tell_time();
        match reply {
            Reply::Ask(Ok(Got::NotModified)) => {
                self.core.on_not_modified(now, rand::random());
                self.heard();
                self.look_for_keys(now)
            }
            Reply::Ask(Ok(Got::Answer(answer, etag))) => self.weigh((answer, etag), now),
            Reply::Ask(Err(error)) => self.pass_on(error.into(), now),
            Reply::Keys(document, Some(told)) => match self.learn(document, now) {
                Ok(()) => self.weigh(told, now),
                Err(error) => self.pass_on(error, now),
            },
            Reply::Keys(document, None) => {
                match self.learn(document, now) {
                    Ok(()) => self.save_learned(now),
                    Err(error) => self.log(&error, "a concierge's key set was not taken"),
                }
                None
            }
            Reply::Present(Ok(())) => None,
            Reply::Present(Err(error)) => {
                tracing::warn!(
                    device = %self.core.device(), concierge = %self.concierges.url(self.place),
                    %error, "a concierge that knows less refused this device's route"
                );
                None
            }
        }
    }

    /// A question on behalf of another device of the fleet, to the concierge that answered last;
    /// `None` while it may not be asked. Its reply is no part of a poll.
    pub(in crate::device) fn echo(
        &self,
        core: &Core,
        etag: Option<String>,
        now: Instant,
    ) -> Option<Exchange> {
        let current = self.concierges.current();
        let is_free = self.concierges.order(now).front() == Some(&current);
        is_free.then(|| self.exchange(current, What::Ask(Question::of(core), etag)))
    }

    fn exchange(&self, place: usize, what: What) -> Exchange {
        Exchange {
            client: self.http.clone(),
            concierge: self.concierges.url(place).clone(),
            what,
        }
    }

    fn ask_next(&mut self, now: Instant) -> Option<Exchange> {
        let Some(place) = self.left.pop_front() else {
            self.core.on_failure(now, rand::random());
            return None;
        };
        self.place = place;
        // Only what is held can be "not modified", and a tag means nothing to another server.
        let is_held = self.core.decision().is_some();
        let etag = self
            .etag
            .as_ref()
            .filter(|(of, _)| *of == place && is_held)
            .map(|(_, tag)| tag.clone());
        let question = match self.audience {
            Audience::Device => Question::of(&self.core),
            Audience::Fleet => Question::of_fleet(self.core.fleet()),
        };
        Some(self.exchange(place, What::Ask(question, etag)))
    }

    /// This concierge's answer does not count.
    fn pass_on(&mut self, error: PollError, now: Instant) -> Option<Exchange> {
        self.log(&error, "a concierge gave no answer");
        if let Some(asked) = error.retry_after() {
            self.concierges
                .hold_off(self.place, asked, now, rand::random());
        }
        self.trouble = Some(error);
        self.ask_next(now)
    }

    fn weigh(&mut self, (answer, etag): Told, now: Instant) -> Option<Exchange> {
        let outcome = match self.core.on_answer(&answer, now, rand::random()) {
            Ok(outcome) => outcome,
            Err(Refused::NotVerified(RouteError::UnknownKey { .. })) if self.may_learn(now) => {
                return Some(self.exchange(self.place, What::Keys(Some((answer, etag)))));
            }
            Err(refused) => return self.pass_on(refused.into(), now),
        };
        self.heard();
        self.etag = etag.map(|tag| (self.place, tag));
        match outcome {
            Outcome::Accepted => self.save(),
            Outcome::Unchanged => self.save_learned(now),
            Outcome::Present(route) => {
                // A stale answer's tag must not keep the right one from being seen.
                self.etag = None;
                let fleet = self.core.fleet().clone();
                return Some(self.exchange(self.place, What::Present(fleet, route)));
            }
        }
        if self.audience == Audience::Fleet {
            self.answer = Some(answer);
        }
        self.look_for_keys(now)
    }

    fn heard(&mut self) {
        self.concierges.answered(self.place);
        self.trouble = None;
    }

    /// An unknown key is a reason to ask for the key set, but not again and again.
    fn may_learn(&mut self, now: Instant) -> bool {
        self.core.trust_mut().can_learn() && self.concierges.take_keys_turn(self.place, now)
    }

    /// Once a day, so that a key that was taken out is not believed for ever.
    fn look_for_keys(&mut self, now: Instant) -> Option<Exchange> {
        if now < self.keys_due || !self.core.trust_mut().can_learn() {
            return None;
        }
        self.keys_due = next_look(now);
        Some(self.exchange(self.place, What::Keys(None)))
    }

    fn learn(
        &mut self,
        document: Result<Vec<u8>, HttpError>,
        now: Instant,
    ) -> Result<(), PollError> {
        let token = self.core.trust_mut().learn(&document?)?;
        self.has_learned |= self.key_set.as_ref() != Some(&token);
        self.key_set = Some(token);
        self.keys_due = next_look(now);
        Ok(())
    }

    /// A restart must not go back to a key that was taken out since, and must believe the route
    /// that is saved beside the keys: until it is signed by one of them the old pair stays.
    fn save_learned(&mut self, now: Instant) {
        if !self.has_learned {
            return;
        }
        let held = self.core.held(now).map(|(route, _)| route.to_owned());
        if held.is_some_and(|route| self.core.trust_mut().verify(&route).is_ok()) {
            self.save();
        }
    }

    fn log(&self, error: &PollError, what: &str) {
        tracing::debug!(
            device = %self.core.device(), concierge = %self.concierges.url(self.place),
            error = error as &dyn std::error::Error, "{what}"
        );
    }
}

fn next_look(now: Instant) -> Instant {
    now + KEYS_PERIOD + pacing::share(KEYS_PERIOD / 10, rand::random())
}
