//! What a device should do, one step after the other.

use std::time::Instant;

use hubshift_domain::id::HubId;
use hubshift_domain::route::RouteEndpoint;

use super::DeviceClient;
use super::poller::{Poller, until};

/// What the application should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Connect to this hub now; leave the one that the device is attached to, if it is another.
    Connect {
        /// The hub.
        endpoint: RouteEndpoint,
        /// When this was due.
        at: Instant,
    },
    /// Stay as you are until then: a hub that still works is still good. A [`Step::Connect`] comes
    /// when the time has come, unless something else comes first.
    Stay {
        /// The hub to be attached to after that.
        endpoint: RouteEndpoint,
        /// The device's slot, or the end of a pause after a failure.
        until: Instant,
    },
}

/// The plan that the application was told of.
#[derive(PartialEq, Eq)]
struct Plan {
    hub: HubId,
    at: Instant,
    is_due: bool,
}

/// A device that polls by itself. Await [`next`](Self::next) over and over, in `select!` with
/// whatever else happens, and report what became of each connection: what is not reported is not
/// known, and a [`Step::Connect`] is not repeated before it is.
pub struct Steps {
    poller: Poller,
    told: Option<Plan>,
}

impl Steps {
    pub(super) fn new(poller: Poller) -> Self {
        Self { poller, told: None }
    }

    /// Polls until there is something to do, and returns it. To drop the future and to call again
    /// loses nothing and sends nothing twice; polls go on only while it is awaited.
    pub async fn next(&mut self) -> Step {
        loop {
            let now = Instant::now();
            self.poller.start_if_due(now);
            if let Some(step) = self.step(now) {
                return step;
            }
            let wake = self.wake();
            tokio::select! {
                reply = self.poller.reply() => {
                    self.poller.take(reply);
                }
                () = until(wake) => {}
            }
        }
    }

    /// What is new since the application was last told.
    fn step(&mut self, now: Instant) -> Option<Step> {
        let decision = self.client().decision()?;
        let (endpoint, at) = (decision.endpoint, decision.connect_at);
        let (_, attached, _) = self.client().core().echo();
        if attached == endpoint.hub.as_str() {
            self.told = None;
            return None;
        }
        let is_due = at <= now;
        let plan = Plan {
            hub: endpoint.hub.clone(),
            at,
            is_due,
        };
        if self.told.as_ref() == Some(&plan) {
            return None;
        }
        self.told = Some(plan);
        Some(match is_due {
            true => Step::Connect { endpoint, at },
            false => Step::Stay {
                endpoint,
                until: at,
            },
        })
    }

    fn wake(&self) -> Option<Instant> {
        let ahead = self.told.as_ref().filter(|plan| !plan.is_due);
        // A canary's end, which nobody has to answer for.
        let end = self.client().decision().and_then(|decision| decision.until);
        let times = [self.poller.begins_at(), ahead.map(|plan| plan.at), end];
        times.into_iter().flatten().min()
    }

    /// The device is attached to this hub now.
    pub fn connected(&mut self, endpoint: &RouteEndpoint) {
        self.poller.client_mut().on_connected(endpoint);
        self.told = None;
    }

    /// The device lost its hub. A connection that the application closed itself, to go where it
    /// was told, is not reported.
    pub fn disconnected(&mut self) {
        self.poller.client_mut().on_disconnected();
        self.told = None;
    }

    /// The attempt to connect failed; the reason is passed on to the operators. The next attempt
    /// comes after a pause, perhaps at another hub.
    pub fn failed(&mut self, error: &str) {
        self.poller.client_mut().on_connect_failed(error);
        self.told = None;
    }

    /// The client, to look at: what it holds, and why its last poll came to nothing.
    pub fn client(&self) -> &DeviceClient {
        self.poller.client()
    }
}
