//! A run: every check in turn, then everything deleted that was made.

use std::pin::pin;

use hubshift_azure::ConnectionString;
use uuid::Uuid;

use crate::ask::Hub;
use crate::check::{Check, Harm, Kind};
use crate::checks;
use crate::connection::{SetupError, client};
use crate::report::{Report, Row, Verdict};
use crate::room::Room;

/// Which hub, and how much of it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The hub, by a policy that may do everything.
    pub connection: ConnectionString,
    /// Certificates to trust, as PEM, instead of the public authorities.
    pub ca_pem: Option<String>,
    /// Only checks that leave nothing behind and write nothing.
    pub is_harmless: bool,
}

/// Runs the checks one after the other: a hub of the smallest tier does a hundred calls a minute.
///
/// When `stop` is ready no further check is begun and the one under way is dropped; what was made
/// is deleted in any case.
pub async fn run(
    settings: Settings,
    stop: impl Future<Output = ()> + Send,
) -> Result<Report, SetupError> {
    let client = client(settings.ca_pem.as_deref())?;
    let run = Uuid::new_v4().simple().to_string();
    let word = run.get(..8).unwrap_or(&run);
    let room = Room::new(Hub::new(client, settings.connection), word);
    let mut report = Report::default();
    {
        let rows = every_check(&room, settings.is_harmless, &mut report.rows);
        let mut rows = pin!(rows);
        let mut stop = pin!(stop);
        tokio::select! {
            () = &mut rows => {}
            () = &mut stop => report.is_stopped = true,
        }
    }
    report.left_behind = room.clean_up().await;
    (report.throttled, report.told_to_wait) = room.hub.throttled();
    Ok(report)
}

async fn every_check(room: &Room, is_harmless: bool, rows: &mut Vec<Row>) {
    for check in checks::all() {
        let verdict = if is_harmless && check.harm != Harm::None {
            Verdict::Skipped
        } else {
            judge(check, room).await
        };
        rows.push(Row::new(check, verdict));
    }
}

async fn judge(check: &Check, room: &Room) -> Verdict {
    match (check.kind, (check.run)(room).await) {
        (Kind::Rule, Ok(None)) => Verdict::Held,
        (Kind::Observation, Ok(None)) => Verdict::Observed("as documented".to_owned()),
        (_, Ok(Some(words))) => Verdict::Observed(words),
        (Kind::Rule, Err(failure)) => Verdict::Failed(words(&failure)),
        (Kind::Observation, Err(failure)) => Verdict::Observed(words(&failure)),
    }
}

/// An error and what is behind it.
fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        source = cause.source();
    }
    words
}
