//! Every fault on order, at every request of every operation of the connector: no write is lost,
//! none is done twice, no key is made anew, and what the connector says is what the hub holds.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod operation;

use std::sync::Arc;
use std::time::Duration;

use common::{emulator, rewrite, settings};
use futures::StreamExt as _;
use hubshift_emulator::{Fault, OutageMode, Running};
use hubshift_hub::budget::{BudgetSettings, LocalBudget};
use hubshift_hub::{AzureHub, AzureSettings, Hub, HubDevice, Outcome, Rejection};

use operation::{Operation, Prepared};

/// Short, because hanging and lost calls take all of it.
const DEADLINE: Duration = Duration::from_secs(2);
/// No operation makes more requests than this.
const MOST_REQUESTS: u64 = 5;
/// How many cells run at once.
const CELLS: usize = 12;

const MODES: [OutageMode; 9] = [
    OutageMode::Refuse,
    OutageMode::Hang,
    OutageMode::Unavailable,
    OutageMode::Throttled,
    OutageMode::Error,
    OutageMode::Slow,
    OutageMode::Reset,
    OutageMode::Lost,
    OutageMode::ResetEarly,
];

/// One fault, at one request of one operation.
#[derive(Clone, Copy, Debug)]
struct Cell {
    mode: OutageMode,
    operation: Operation,
    /// How many requests of the call pass before the fault.
    skip: u64,
}

/// What a cell showed.
struct Shown {
    cell: Cell,
    outcome: &'static str,
    problem: Option<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_loses_or_doubles_a_write_or_makes_a_key_anew() {
    let cells = MODES.into_iter().flat_map(|mode| {
        Operation::ALL.into_iter().flat_map(move |operation| {
            (0..MOST_REQUESTS).map(move |skip| Cell {
                mode,
                operation,
                skip,
            })
        })
    });
    let cells: Vec<_> = cells.map(|cell| Box::pin(run(cell))).collect();
    let mut shown = futures::stream::iter(cells).buffer_unordered(CELLS);
    let (mut count, mut problems) = (0, Vec::new());
    let mut outcomes = std::collections::BTreeMap::<_, u32>::new();
    while let Some(shown) = shown.next().await {
        let Some(shown) = shown else { continue };
        count += 1;
        let key = (format!("{:?}", shown.cell.mode), shown.outcome);
        *outcomes.entry(key).or_default() += 1;
        if let Some(problem) = shown.problem {
            problems.push(format!("{:?}: {} ({problem})", shown.cell, shown.outcome));
        }
    }
    println!("{count} cells: {outcomes:#?}");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    // Every operation is hit at its first request at least, and reads by every fault, too.
    assert!(count >= MODES.len() * Operation::ALL.len(), "{count}");
    for mode in MODES {
        let name = format!("{mode:?}");
        assert!(outcomes.keys().any(|(found, _)| *found == name), "{name}");
    }
}

/// Nothing if the operation makes fewer requests than the fault lets pass.
async fn run(cell: Cell) -> Option<Shown> {
    let running = emulator().await;
    let direct = common::connect(&running);
    let hub = AzureHub::new(AzureSettings {
        call_deadline: DEADLINE,
        budget: Arc::new(LocalBudget::new(&BudgetSettings {
            speed: 60.0,
            ..BudgetSettings::default()
        })),
        ..settings(&running)
    })
    .unwrap();
    let prepared = cell.operation.prepare(&direct).await;
    let before = sum(&running);
    let fault = Fault::from(cell.mode)
        .times(1)
        .after(cell.skip)
        .late_by(Duration::from_millis(50))
        .retry_after(1);
    running.order(fault);
    let outcome = cell.operation.run(&hub, &prepared).await;
    let requests = sum(&running) - before;
    running.set_outage(OutageMode::None);
    if requests <= cell.skip {
        return None;
    }
    let problem = judge(cell, &direct, &hub, &prepared, &outcome).await.err();
    Some(Shown {
        cell,
        outcome: label(&outcome),
        problem,
    })
}

fn sum(running: &Running) -> u64 {
    let log = running.request_log();
    log.len() as u64
}

fn label(outcome: &Outcome<()>) -> &'static str {
    match outcome {
        Outcome::Done(()) => "done",
        Outcome::Rejected(_) => "rejected",
        Outcome::Unknown(_) => "unknown",
    }
}

/// What the hub holds is what the outcome allows; after a look and, if needed, a second try it is
/// what was wanted, and no part of it was written more than once.
async fn judge(
    cell: Cell,
    direct: &AzureHub,
    hub: &AzureHub,
    prepared: &Prepared,
    outcome: &Outcome<()>,
) -> Result<(), String> {
    let now = read(direct, &prepared.key).await;
    check_outcome(prepared, outcome, now.as_ref())?;
    check_keys(prepared, now.as_ref())?;
    if !matches!(outcome, Outcome::Done(())) {
        again(cell, hub, prepared, now.as_ref()).await?;
    }
    let end = read(direct, &prepared.key).await;
    if !prepared.is_done(end.as_ref()) {
        return Err(format!("after a second try it is {end:?}"));
    }
    check_keys(prepared, end.as_ref())?;
    check_once(prepared, end.as_ref())
}

async fn read(hub: &AzureHub, key: &str) -> Option<HubDevice> {
    hub.get(key).await.into_result().unwrap()
}

fn check_outcome(
    prepared: &Prepared,
    outcome: &Outcome<()>,
    now: Option<&HubDevice>,
) -> Result<(), String> {
    match outcome {
        Outcome::Done(()) if !prepared.is_done(now) => Err(format!("done, and it is {now:?}")),
        Outcome::Rejected(_) if prepared.before.as_ref() != now => {
            Err(format!("rejected ({outcome:?}), and it changed to {now:?}"))
        }
        _ => Ok(()),
    }
}

/// Keys are those of before or those that were wanted: never others.
fn check_keys(prepared: &Prepared, now: Option<&HubDevice>) -> Result<(), String> {
    let Some(now) = now else { return Ok(()) };
    let known = [
        prepared.before.as_ref().map(|device| &device.identity),
        prepared.wanted.as_ref().map(|write| &write.identity),
    ];
    let mut known = known.into_iter().flatten();
    if known.any(|identity| identity.credentials == now.identity.credentials) {
        return Ok(());
    }
    Err("other keys than anybody sent".to_owned())
}

/// What a careful caller does: looks, and repeats only what is not there, under the etags that it
/// saw.
async fn again(
    cell: Cell,
    hub: &AzureHub,
    prepared: &Prepared,
    now: Option<&HubDevice>,
) -> Result<(), String> {
    if prepared.is_done(now) {
        return Ok(());
    }
    let mut outcome = cell.operation.repeat(hub, prepared, now).await;
    if let Outcome::Rejected(Rejection::Throttled { retry_after }) = outcome {
        // As long as the connector's own budget asks for after a refusal.
        tokio::time::sleep(retry_after).await;
        outcome = cell.operation.repeat(hub, prepared, now).await;
    }
    match outcome {
        Outcome::Done(()) => Ok(()),
        other => Err(format!("the second try ended {other:?}")),
    }
}

/// The twin moved at most as often as a single write moves it.
fn check_once(prepared: &Prepared, end: Option<&HubDevice>) -> Result<(), String> {
    let Some(end) = end else { return Ok(()) };
    let most = prepared.most_twin_version;
    if most.is_some_and(|most| end.twin_version > most) {
        return Err(format!(
            "twin version {} is above {most:?}",
            end.twin_version
        ));
    }
    match &prepared.wanted {
        Some(wanted) if rewrite(end) != *wanted => Err("not what was wanted".to_owned()),
        _ => Ok(()),
    }
}
