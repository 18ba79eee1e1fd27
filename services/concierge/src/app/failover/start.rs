//! Starting a failover: checks, plan, and the transaction that begins it.

use hubshift_api::pb::concierge::Failover;
use hubshift_domain::failover::{Kind, LossBound, Step};
use hubshift_flow::Start;
use hubshift_store::idem::Request;
use hubshift_store::{StoreError, Tx, in_tx};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::once::once;
use super::super::plan::{self, Basis, Plan};
use super::super::precheck::Situation;
use super::takeover::{self, Superseded};
use super::{App, AppError, view};
use crate::store::failover::{self as rows, FailoverRow};
use crate::store::{authority, clock};
use crate::workflows::failover::{KIND, State};

/// What an operator orders.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) fleet_id: String,
    pub(crate) kind: Kind,
    pub(crate) expected_active_hub: String,
    pub(crate) target_hub: String,
    pub(crate) acknowledge_loss_bound: String,
    pub(crate) override_checks: bool,
    /// The move past its commit that this one takes over from.
    pub(crate) supersede: Option<Uuid>,
}

impl Order {
    /// Only a forced move may override anything.
    fn overrides(&self) -> bool {
        self.override_checks && self.kind == Kind::Forced
    }
}

impl App {
    /// The plan of a move; changes nothing.
    pub(crate) async fn plan_failover(&self, order: &Order) -> Result<Failover, AppError> {
        let situation = self.situation(&order.fleet_id).await?;
        check_order(order, &situation)?;
        let (superseded, active) = match self.superseded(order).await {
            Ok(superseded) => (superseded, None),
            Err(AppError::FailoverActive(name)) => (None, Some(name)),
            Err(error) => return Err(error),
        };
        let mut plan = self.plan(order, &situation, superseded.as_ref()).await?;
        if let Some(name) = active {
            plan.blocked = true;
            plan.checks.insert(0, other_operation(&name));
        }
        let mut connection = self.connection().await?;
        let row = row_of(
            order,
            Uuid::nil(),
            &plan,
            clock::now(&mut connection).await?,
        )?;
        Ok(view::planned(&row, &plan))
    }

    /// Starts a move.
    pub(crate) async fn start_failover(
        &self,
        request: &Request,
        order: &Order,
    ) -> Result<Failover, AppError> {
        let failover = once(&self.pool, request, self.begin(request, order)).await?;
        self.nudge.notify_one();
        Ok(failover)
    }

    async fn begin(&self, request: &Request, order: &Order) -> Result<Failover, AppError> {
        let situation = self.situation(&order.fleet_id).await?;
        let superseded = self.superseded(order).await?;
        check_order(order, &situation)?;
        let plan = self.plan(order, &situation, superseded.as_ref()).await?;
        if let Some(blockers) = plan.blockers(order.overrides()) {
            return Err(AppError::PrecheckBlocked(blockers));
        }
        check_acknowledged(order, plan.loss_bound)?;
        in_tx(&self.pool, "start_failover", |tx| {
            self.insert(tx, request, order, &plan, superseded.clone())
        })
        .await
    }

    async fn superseded(&self, order: &Order) -> Result<Option<Superseded>, AppError> {
        let mut connection = self.connection().await?;
        takeover::look(&mut connection, order).await
    }

    async fn plan(
        &self,
        order: &Order,
        situation: &Situation,
        superseded: Option<&Superseded>,
    ) -> Result<Plan, AppError> {
        let target = situation.hub(&order.target_hub)?;
        let gathered = self
            .gather(situation, order.kind, target, superseded)
            .await?;
        Ok(plan::make(&Basis {
            facts: &gathered.facts,
            fleet: &situation.fleet,
            hubs: &situation.hubs,
            target,
            witnessed: situation.witnessed,
            settings: &self.settings,
        }))
    }

    async fn insert(
        &self,
        mut tx: Tx,
        request: &Request,
        order: &Order,
        plan: &Plan,
        superseded: Option<Superseded>,
    ) -> Result<(Tx, Failover), AppError> {
        let fleet_id = order.fleet_id.as_str();
        let failover_id = Uuid::now_v7();
        // The workflow's row first, the fleet's after it: as its executor takes them.
        if let Some(superseded) = &superseded {
            takeover::set_aside(&mut tx, order, superseded, failover_id).await?;
        }
        let held = authority::hold(&mut tx, fleet_id).await?;
        let held = held.ok_or_else(|| AppError::FleetNotFound(fleet_id.to_owned()))?;
        check_active(order, &held.active_hub_id)?;
        none_active(&mut tx, order).await?;
        let row = row_of(order, failover_id, plan, held.now)?;
        rows::insert(&mut tx, &row).await?;
        let state = State {
            superseded,
            ..State::new(order.kind, &row, held.epoch, order.overrides())
        };
        let start = Start {
            workflow_id: failover_id,
            kind: KIND,
            subject: Some(fleet_id),
            fleet_id,
            first: Step::FIRST,
            state: &state,
            traceparent: hubshift_shell::trace::current_traceparent(),
        };
        if !hubshift_flow::start(&mut tx, start).await? {
            // The transaction is lost; who was faster is read outside of it.
            drop(tx);
            let mut connection = self.connection().await?;
            none_active(&mut connection, order).await?;
            return Err(AppError::Raced);
        }
        let status = hubshift_flow::get(&mut tx, failover_id).await?;
        let failover = view::failover(&row, status.as_ref())?;
        let detail = format!("{} to {}", order.kind, order.target_hub);
        self.seal(&mut tx, request, fleet_id, &detail, &failover)
            .await?;
        Ok((tx, failover))
    }
}

fn row_of(
    order: &Order,
    failover_id: Uuid,
    plan: &Plan,
    now: time::OffsetDateTime,
) -> Result<FailoverRow, StoreError> {
    let encode = |error: serde_json::Error| StoreError::Bug(sqlx::Error::Encode(error.into()));
    Ok(FailoverRow {
        failover_id,
        fleet_id: order.fleet_id.clone(),
        kind: order.kind.as_str().to_owned(),
        source_hub_id: order.expected_active_hub.clone(),
        target_hub_id: order.target_hub.clone(),
        plan: serde_json::to_value(plan).map_err(encode)?,
        create_time: now,
    })
}

fn check_order(order: &Order, situation: &Situation) -> Result<(), AppError> {
    situation.hub(&order.target_hub)?;
    situation.hub(&order.expected_active_hub)?;
    check_active(order, &situation.fleet.active_hub_id)
}

fn check_active(order: &Order, active: &str) -> Result<(), AppError> {
    if order.expected_active_hub == active {
        return Ok(());
    }
    Err(AppError::ActiveHubChanged {
        active: active.to_owned(),
        expected: order.expected_active_hub.clone(),
    })
}

fn check_acknowledged(order: &Order, bound: Option<LossBound>) -> Result<(), AppError> {
    match bound {
        Some(bound) if !bound.is_covered_by(&order.acknowledge_loss_bound) => {
            Err(AppError::LossNotAcknowledged(bound.to_string()))
        }
        Some(_) | None => Ok(()),
    }
}

async fn none_active(connection: &mut PgConnection, order: &Order) -> Result<(), AppError> {
    let fleet_id = order.fleet_id.as_str();
    match hubshift_flow::find_active(connection, KIND, fleet_id).await? {
        None => Ok(()),
        Some(id) => Err(AppError::FailoverActive(rows::name(fleet_id, id))),
    }
}

fn other_operation(name: &str) -> hubshift_domain::failover::Check {
    hubshift_domain::failover::Check {
        check: "no_other_operation".to_owned(),
        verdict: hubshift_domain::failover::Verdict::Block,
        can_override: false,
        detail: format!(
            "{name} is not over; watch it, or cancel it before its commit; when its target is \
             gone after that, a forced move may supersede it"
        ),
    }
}
