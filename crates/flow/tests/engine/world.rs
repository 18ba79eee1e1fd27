//! A workflow that tests look at from outside, and a database that it runs on.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use hubshift_flow::{
    Engine, EngineConfig, Next, Progress, Start, Status, StepCx, StepError, Workflow, WorkflowState,
};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    Prepare,
    Act,
    Commit,
    Close,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) waits_left: u32,
    /// Its last step waits until the probe opens the gate.
    pub(crate) gated: bool,
    pub(crate) reject_at_act: bool,
    pub(crate) fail_first_commit: bool,
    pub(crate) hang_at_act: bool,
}

/// What the steps did, seen from outside.
#[derive(Debug, Clone, Default)]
pub(crate) struct Probe {
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    pub(crate) commits: Arc<AtomicU32>,
    pub(crate) gate: Arc<AtomicBool>,
}

impl Probe {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }
}

pub(crate) struct Move(pub(crate) Probe);

impl Workflow for Move {
    const KIND: &'static str = "test_move";
    type Step = Step;
    type State = State;

    fn next(&self, done: Step, _state: &State) -> Next<Step> {
        match done {
            Step::Prepare => Next::Step(Step::Act),
            Step::Act => Next::Step(Step::Commit),
            Step::Commit => Next::Step(Step::Close),
            Step::Close => Next::Finish,
        }
    }

    fn is_past_no_return(&self, step: Step) -> bool {
        matches!(step, Step::Commit | Step::Close)
    }

    async fn run(&self, step: Step, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        self.0.note(format!("{step:?}"));
        match step {
            Step::Prepare if state.waits_left > 0 => {
                state.waits_left -= 1;
                return Ok(Progress::Wait(Duration::from_millis(10)));
            }
            Step::Act if state.reject_at_act => {
                return Err(StepError::rejected("NO_WAY", "it can't be done"));
            }
            Step::Act if state.hang_at_act && cx.fence == 1 => std::future::pending().await,
            Step::Close if state.gated && !self.0.gate.load(Ordering::SeqCst) => {
                return Ok(Progress::Wait(Duration::from_millis(10)));
            }
            Step::Commit => {
                let first = self.0.commits.fetch_add(1, Ordering::SeqCst) == 0;
                if first && state.fail_first_commit {
                    return Err(StepError::Unknown(anyhow::anyhow!("no answer")));
                }
            }
            _ => {}
        }
        Ok(Progress::Done)
    }

    async fn undo(&self, step: Step, _: &mut State, _: &StepCx) -> Result<(), StepError> {
        self.0.note(format!("undo {step:?}"));
        Ok(())
    }
}

pub(crate) struct World {
    pub(crate) database: Arc<Database>,
    pub(crate) pool: PgPool,
    pub(crate) probe: Probe,
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::fresh().await.unwrap();
        let pool = database.connect(Role::Concierge).await.unwrap();
        Self {
            database: Arc::new(database),
            pool,
            probe: Probe::default(),
        }
    }

    pub(crate) fn engine(&self, replica: &str, lease: Duration) -> CancellationToken {
        let mut config = EngineConfig::new(replica);
        config.lease = lease;
        config.poll = Duration::from_millis(10);
        let engine = Engine::new(self.pool.clone(), config).with(Move(self.probe.clone()));
        let stop = CancellationToken::new();
        tokio::spawn(engine.run(stop.clone()));
        stop
    }

    pub(crate) async fn start(&self, state: &State) -> Uuid {
        let id = Uuid::now_v7();
        assert!(self.try_start(id, state).await);
        id
    }

    pub(crate) async fn try_start(&self, id: Uuid, state: &State) -> bool {
        let mut tx = self.pool.begin().await.unwrap();
        let start = Start {
            workflow_id: id,
            kind: Move::KIND,
            subject: Some("acme"),
            fleet_id: "acme",
            first: Step::Prepare,
            state,
            traceparent: None,
        };
        let started = hubshift_flow::start(&mut tx, start).await.unwrap();
        if started {
            tx.commit().await.unwrap();
        }
        started
    }

    pub(crate) async fn status(&self, id: Uuid) -> Status {
        let mut connection = self.pool.acquire().await.unwrap();
        hubshift_flow::get(&mut connection, id)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn ends(&self, id: Uuid, state: WorkflowState) -> Status {
        let over = eventually(Duration::from_secs(10), || async {
            self.status(id).await.state.is_over()
        });
        assert!(over.await, "{:?}", self.status(id).await);
        let status = self.status(id).await;
        assert_eq!(status.state, state, "{status:?}");
        status
    }
}
