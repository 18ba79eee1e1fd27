//! The task of a scheduled job: waits for its time and its turn, then takes device after device.

use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use super::job::Plan;
use crate::app::App;
use crate::jobs::pace::Pace;
use crate::query::Query;
use crate::scan;

/// Carries a job out and notes what became of it. One that is cancelled was noted already.
pub(in crate::jobs) async fn run(app: Arc<App>, id: String, plan: Plan, cancel: CancellationToken) {
    let work = carry_out(&app, &id, &plan);
    if let Some(result) = cancel.run_until_cancelled(work).await {
        app.jobs.schedule.ended(&id, result.err());
    }
}

async fn carry_out(app: &Arc<App>, id: &str, plan: &Plan) -> Result<(), String> {
    // A time that has passed already is no duration.
    if let Ok(wait) = Duration::try_from(plan.start - OffsetDateTime::now_utc()) {
        tokio::time::sleep(wait).await;
    }
    let most = || app.throttle.settings().scheduled_jobs();
    app.jobs.schedule.turn(id, most).await;
    let devices = take_devices(app, id, plan);
    let Some(limit) = plan.limit else {
        return devices.await;
    };
    tokio::time::timeout(limit, devices)
        .await
        .unwrap_or_else(|_| Err("the job took longer than maxExecutionTimeInSeconds".to_owned()))
}

async fn take_devices(app: &Arc<App>, id: &str, plan: &Plan) -> Result<(), String> {
    let schedule = &app.jobs.schedule;
    let ids = matching(app, &plan.condition).await?;
    let now = OffsetDateTime::now_utc();
    schedule.note(id, |job| job.set_devices(&ids, now));
    let mut pace = Pace::new(app.jobs.settings().lines_per_second);
    for (index, device) in ids.iter().enumerate() {
        if index % pace.batch() == 0 {
            pace.wait().await;
        }
        let result = plan.work.carry_out(&mut app.registry(), device);
        let now = OffsetDateTime::now_utc();
        schedule.note(id, |job| job.device_done(index, result, now));
    }
    Ok(())
}

/// The devices that a condition is about: those that a query with it would give, all for `*`.
async fn matching(app: &Arc<App>, condition: &str) -> Result<Vec<String>, String> {
    let text = match condition.trim() {
        "*" => "select * from devices".to_owned(),
        condition => format!("select * from devices where {condition}"),
    };
    let query = Query::parse(&text)
        .map_err(|error| format!("SQL query parse failed due to following errors: {error}"))?;
    let app = Arc::clone(app);
    let find = move || {
        scan::seen(&app, Bound::Unbounded)
            .filter(|seen| query.matches(&seen.twin()))
            .map(|seen| seen.record.device_id.clone())
            .collect()
    };
    tokio::task::spawn_blocking(find)
        .await
        .map_err(|_| "the search for devices was broken off".to_owned())
}
