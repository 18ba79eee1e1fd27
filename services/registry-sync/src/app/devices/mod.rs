//! Devices through the authority: each change is journaled before a hub is called, happens once
//! however often it is repeated, and is never done at a hub that does not reign.
//!
//! Durable: `registry.journal`, and the tombstone of a deletion before the deletion. Kept true: two
//! changes of one device are never under way at one hub at the same time; an answer that was
//! given once is given again.

mod attempt;
pub(crate) mod error;
mod plan;
mod read;
pub(crate) mod request;
pub(crate) mod settle;
mod view;

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::hub_state::{Purpose, RegistryMode};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use sqlx::pool::PoolConnection;

use crate::authority::{self, FleetView};
use crate::deps::{Deps, WriterError};
use crate::hubs::HubsError;
use crate::observe::Observed;
use crate::store;
use crate::store::journal::{self, Entry, NEVER_LANDED, Operation, State, open};
use crate::write::{RereadError, WriteCx, reread};
use error::{DeviceError, Refusal};
use plan::{Before, Plan, plan};
use request::{Request, Ticket};

/// How often a request is planned anew because something came between.
const MAX_TURNS: u32 = 5;

/// Devices of all fleets.
#[derive(Debug, Clone)]
pub(crate) struct Devices {
    deps: Arc<Deps>,
}

/// How one turn of a request ended.
#[derive(Debug)]
enum Turn {
    /// With its answer.
    Answer(Vec<u8>),
    /// Something came between: look again.
    Again,
}

impl Devices {
    /// Over the service's parts.
    pub(crate) fn new(deps: Arc<Deps>) -> Self {
        Self { deps }
    }

    /// Does a change, or finds out what became of it: the bytes of its answer.
    #[tracing::instrument(skip_all, name = "registry.change_device",
        fields(fleet = %request.ticket.fleet, device = %request.ticket.device))]
    pub(crate) async fn change(&self, request: &Request) -> Result<Vec<u8>, DeviceError> {
        for _ in 0..MAX_TURNS {
            match self.turn(request).await? {
                Turn::Answer(answer) => return Ok(answer),
                Turn::Again => {}
            }
        }
        Err(DeviceError::Moving)
    }

    async fn turn(&self, request: &Request) -> Result<Turn, DeviceError> {
        let ticket = &request.ticket;
        let prior = self.prior(ticket).await?;
        if let Some(answer) = prior.as_ref().and_then(|prior| prior.response.clone()) {
            return Ok(Turn::Answer(answer));
        }
        let view = self.view(&ticket.fleet).await?;
        let begun = prior.as_ref().filter(|prior| is_here(prior, &view));
        if begun.is_none() {
            check_open(&view)?;
        }
        let cx = self.writer(&view, &view.active_hub).await?;
        let others = open_others(&mut *self.connection().await?, ticket, &cx.hub_id).await?;
        // Read after the rows: what is overdue in them can't change what is read here.
        let seen = self.look(&cx, ticket.device.as_str()).await?;
        for other in &others {
            self.settle_other(&view, other, seen.as_ref()).await?;
        }
        if let Some(begun) = begun
            && let Some(turn) = self.settle_own(&view, begun, seen.as_ref()).await?
        {
            return Ok(turn);
        }
        check_open(&view)?;
        self.try_once(request, &cx, prior.as_ref(), seen.as_ref())
            .await
    }

    /// The request's row, if it was begun before and may go on.
    async fn prior(&self, ticket: &Ticket) -> Result<Option<Entry>, DeviceError> {
        let mut connection = self.connection().await?;
        let (fleet, caller) = (&ticket.fleet, &ticket.caller);
        let found = journal::find(&mut connection, fleet, caller, ticket.request_id).await?;
        let Some(entry) = found else { return Ok(None) };
        if entry.body_sha256 != ticket.body_sha256 || entry.operation != ticket.operation {
            return Err(DeviceError::Reused(ticket.request_id));
        }
        if entry.state == State::Rejected && entry.reason != NEVER_LANDED {
            let refusal = Refusal::parse(&entry.reason);
            return Err(DeviceError::Refused {
                refusal,
                text: entry.detail,
            });
        }
        Ok(Some(entry))
    }

    async fn try_once(
        &self,
        request: &Request,
        cx: &WriteCx,
        prior: Option<&Entry>,
        seen: Option<&Observed>,
    ) -> Result<Turn, DeviceError> {
        let ticket = &request.ticket;
        let (fleet, device) = (&ticket.fleet, ticket.device.as_str());
        let mut connection = self.connection().await?;
        let devices = [device.to_owned()];
        let hub = cx.hub_id.as_str();
        let bases = store::base::get_many(&mut *connection, fleet.as_str(), hub, &devices).await?;
        let is_superseded = match prior {
            Some(prior) => {
                open::is_superseded(&mut connection, fleet, device, prior.sequence).await?
            }
            None => false,
        };
        let next_life = next_life(&mut connection, ticket, prior).await?;
        drop(connection);
        let before = Before {
            seen,
            base: bases.first(),
            prior,
            is_superseded,
            next_life,
        };
        match plan(request, &cx.keys, before)? {
            Plan::Write(planned) => self.attempt(ticket, cx, prior, &planned).await,
            Plan::Refuse(refusal, text) => {
                // What became of a try at another hub, only that hub can say.
                let own = prior.filter(|prior| is_at(prior, cx));
                let row = own.map(|prior| ticket.row(prior.attempt_id()));
                self.refuse(row, refusal, text).await
            }
            Plan::Happened => match prior {
                Some(prior) => self.adopt(ticket, cx, prior, seen).await,
                None => Ok(Turn::Again),
            },
        }
    }

    async fn connection(&self) -> Result<PoolConnection<sqlx::Postgres>, DeviceError> {
        Ok(self.deps.pool.acquire().await.map_err(StoreError::from)?)
    }

    async fn view(&self, fleet: &FleetId) -> Result<FleetView, DeviceError> {
        let view = authority::fleet(&self.deps.pool, fleet).await?;
        view.ok_or_else(|| DeviceError::NoFleet(fleet.clone()))
    }

    /// What a write to a hub needs.
    async fn writer(&self, view: &FleetView, hub: &HubId) -> Result<WriteCx, DeviceError> {
        self.deps
            .writer(view, hub, Purpose::Provision)
            .await
            .map_err(|error| match error {
                WriterError::Key(key) => key.into(),
                WriterError::Hub(HubsError::Store(store)) => store.into(),
                WriterError::Hub(HubsError::NoConnection | HubsError::NoHub) => {
                    DeviceError::NoConnection(hub.to_string())
                }
                WriterError::Hub(other) => DeviceError::Unreachable(other.to_string()),
            })
    }

    /// What a hub holds now.
    async fn look(&self, cx: &WriteCx, device: &str) -> Result<Option<Observed>, DeviceError> {
        let read = reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, device).await;
        read.map_err(|error| match error {
            RereadError::Hub(hub) => DeviceError::Unreachable(hub.to_string()),
            RereadError::Key(key) => key.into(),
            RereadError::Store(store) => store.into(),
        })
    }
}

/// Rows of other requests for the device at this hub whose outcome is not known.
async fn open_others(
    connection: &mut PgConnection,
    ticket: &Ticket,
    hub: &HubId,
) -> Result<Vec<Entry>, StoreError> {
    let (caller, device) = (&ticket.caller, ticket.device.as_str());
    open::of_device(
        connection,
        &ticket.fleet,
        hub,
        device,
        caller,
        ticket.request_id,
    )
    .await
}

/// Which life a new device is; a request that was begun keeps its own, unless that is over.
async fn next_life(
    connection: &mut PgConnection,
    ticket: &Ticket,
    prior: Option<&Entry>,
) -> Result<u32, StoreError> {
    let (fleet, device) = (&ticket.fleet, ticket.device.as_str());
    if ticket.operation != Operation::Create {
        return Ok(0);
    }
    if let Some(prior) = prior {
        let over = store::tombstone::highest(&mut *connection, fleet.as_str(), device).await?;
        if over < prior.incarnation.cast_signed() {
            return Ok(prior.incarnation);
        }
    }
    open::next_life(connection, fleet, device).await
}

/// Whether a row is open, and its newest attempt of this reign: then its hub can be asked what
/// became of it.
fn is_here(entry: &Entry, view: &FleetView) -> bool {
    is_open(entry) && entry.epoch == view.epoch && entry.hub_id == view.active_hub.as_str()
}

fn is_at(entry: &Entry, cx: &WriteCx) -> bool {
    is_open(entry) && entry.epoch == cx.epoch && entry.hub_id == cx.hub_id.as_str()
}

fn is_open(entry: &Entry) -> bool {
    matches!(entry.state, State::Intent | State::Unknown)
}

fn check_open(view: &FleetView) -> Result<(), DeviceError> {
    if view.is_forgotten {
        return Err(DeviceError::EpochForgotten);
    }
    match view.effective_mode() {
        RegistryMode::Open => Ok(()),
        RegistryMode::Settling => Err(DeviceError::Settling(Duration::from_secs(1))),
        RegistryMode::Frozen => {
            let left = view.frozen_until.map(|until| until - view.now);
            let left = left
                .and_then(|left| Duration::try_from(left).ok())
                .unwrap_or_default();
            // It may thaw long before.
            Err(DeviceError::Frozen(
                left.clamp(Duration::from_secs(1), Duration::from_secs(10)),
            ))
        }
    }
}
