//! Whether the database's schema fits this binary: looked at again and again, and told to whoever
//! serves and whoever works.
//!
//! Kept true: on a schema that does not fit nothing is done. Calls are refused, work that runs is
//! stopped, and begins anew when the schema fits again. A database that is down says nothing about
//! its schema: what was found last stands.

use std::future::Future;
use std::time::Duration;

use hubshift_api::fault;
use sqlx::PgPool;
use tokio::sync::watch as channel;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use crate::migrate::{SchemaState, schema_state};
use crate::{Database, StoreError, within};

/// How often the database is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A database that takes longer is not there.
const LIMIT: Duration = Duration::from_secs(5);

/// How the schema fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fitting {
    /// Never looked at yet: the database has not answered.
    Unknown,
    /// It fits.
    Fits,
    /// It is older than this binary needs.
    Behind,
    /// It is newer than this binary knows.
    TooNew,
}

/// Whether the database's schema fits this binary, as far as is known. Clones share it.
#[derive(Debug, Clone)]
pub struct Fit(channel::Sender<Fitting>);

impl Default for Fit {
    fn default() -> Self {
        Self(channel::Sender::new(Fitting::Unknown))
    }
}

impl Fit {
    /// What is known.
    pub fn get(&self) -> Fitting {
        *self.0.borrow()
    }

    /// Refuses to work on a schema that does not fit. One that was never seen is tried: the
    /// database's own error says more.
    pub fn ready(&self) -> Result<(), Status> {
        let (reason, text) = match self.get() {
            Fitting::Fits | Fitting::Unknown => return Ok(()),
            Fitting::Behind => (
                "SCHEMA_BEHIND",
                "the database is older than this binary; run `concierge migrate`",
            ),
            Fitting::TooNew => (
                "SCHEMA_TOO_NEW",
                "the database is newer than this binary; run a newer one",
            ),
        };
        Err(fault::status(Code::Unavailable, reason, text))
    }

    /// Looks at the schema and notes what it finds; the log has it when it is news.
    pub async fn look(&self, pool: &PgPool) -> Result<SchemaState, StoreError> {
        let state = within(LIMIT, schema_state(pool)).await?;
        if self.note(state) {
            say(state);
        }
        Ok(state)
    }

    /// Notes what was found; says whether it is news.
    fn note(&self, state: SchemaState) -> bool {
        let now = match state {
            SchemaState::Usable => Fitting::Fits,
            SchemaState::Behind { .. } => Fitting::Behind,
            SchemaState::TooNew { .. } => Fitting::TooNew,
        };
        self.0
            .send_if_modified(|last| std::mem::replace(last, now) != now)
    }

    /// Runs `work` from when the schema fits until it does not, and again when it does, until
    /// `stop`. Work gets a token of its own, is waited for when that was cancelled, and must not
    /// end before.
    pub async fn while_fits<F>(self, stop: CancellationToken, work: impl Fn(CancellationToken) -> F)
    where
        F: Future<Output = ()>,
    {
        let mut seen = self.0.subscribe();
        while !stop.is_cancelled() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = until(&mut seen, |now| now == Fitting::Fits) => {}
            }
            let token = stop.child_token();
            let lost = async {
                until(&mut seen, |now| now != Fitting::Fits).await;
                tracing::warn!("work stops until the schema fits again");
                token.cancel();
                std::future::pending::<()>().await;
            };
            tokio::select! {
                () = Box::pin(work(token.clone())) => {}
                () = lost => {}
            }
            if !token.is_cancelled() {
                return;
            }
        }
    }
}

async fn until(seen: &mut channel::Receiver<Fitting>, is_wanted: fn(Fitting) -> bool) {
    loop {
        let now = *seen.borrow_and_update();
        // Whoever waits here holds a sender: the channel does not close before.
        if is_wanted(now) || seen.changed().await.is_err() {
            return;
        }
    }
}

/// Looks until cancelled: notes whether the schema fits, points the pool at a host that serves, and
/// tells whoever serves whether the database can be worked with.
pub async fn watch(
    database: Database,
    fit: Fit,
    tell: impl Fn(bool) + Send,
    cancel: CancellationToken,
) {
    let mut was_usable = None;
    while !cancel.is_cancelled() {
        let is_usable = match fit.look(database.pool()).await {
            Ok(state) => state == SchemaState::Usable,
            Err(error) => {
                if was_usable != Some(false) {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(error, "the database does not answer");
                }
                false
            }
        };
        if was_usable != Some(is_usable) {
            tell(is_usable);
            was_usable = Some(is_usable);
        }
        if !is_usable && let Err(error) = database.repoint().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no database host serves"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = cancel.cancelled() => {}
        }
    }
    tell(false);
}

fn say(state: SchemaState) {
    match state {
        SchemaState::Usable => tracing::info!("the database's schema fits"),
        SchemaState::Behind { found, needed } => tracing::error!(
            found,
            needed,
            "the database is older than this binary: run `concierge migrate`"
        ),
        SchemaState::TooNew { found, known } => tracing::error!(
            found,
            known,
            "the database is newer than this binary: run a newer one"
        ),
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const TOO_NEW: SchemaState = SchemaState::TooNew { found: 3, known: 1 };
    const BEHIND: SchemaState = SchemaState::Behind {
        found: 1,
        needed: 2,
    };

    #[test]
    fn calls_are_refused_on_a_schema_that_does_not_fit() {
        let fit = Fit::default();
        assert!(fit.ready().is_ok(), "nobody has looked yet");
        for (state, expected) in [(TOO_NEW, "SCHEMA_TOO_NEW"), (BEHIND, "SCHEMA_BEHIND")] {
            assert!(fit.note(state) && !fit.note(state));
            let refused = fit.ready().unwrap_err();
            assert_eq!(fault::reason(&refused), expected);
            assert_eq!(refused.code(), Code::Unavailable);
        }
        fit.note(SchemaState::Usable);
        assert!(fit.ready().is_ok());
    }

    #[tokio::test]
    async fn work_runs_while_the_schema_fits_and_begins_anew() {
        let (fit, stop) = (Fit::default(), CancellationToken::new());
        let (tell, mut told) = mpsc::unbounded_channel();
        let work = move |token: CancellationToken| {
            let tell = tell.clone();
            async move {
                tell.send("begins").unwrap();
                token.cancelled().await;
                tell.send("ends").unwrap();
            }
        };
        let working = tokio::spawn(fit.clone().while_fits(stop.clone(), work));
        for _ in 0..2 {
            fit.note(SchemaState::Usable);
            assert_eq!(told.recv().await, Some("begins"));
            fit.note(TOO_NEW);
            assert_eq!(told.recv().await, Some("ends"));
        }
        fit.note(SchemaState::Usable);
        assert_eq!(told.recv().await, Some("begins"));
        stop.cancel();
        assert_eq!(told.recv().await, Some("ends"));
        working.await.unwrap();
        assert_eq!(told.recv().await, None);
    }
}
