//! Following a failover: every journaled step as it comes, the whole of it at its end.

use std::ops::ControlFlow;

use hubshift_api::pb::concierge as pb;
use hubshift_api::pb::types::TaskState;

use crate::commands::tasks;
use crate::connect::Session;
use crate::connect::clients::Failovers;
use crate::exit::CliError;
use crate::output::Progress;
use crate::output::views::{FailoverView, last_segment};

/// Follows a failover, shows it when it is over, and judges its end.
///
/// # Errors
/// It failed, was cancelled or is stuck; or it could not be followed.
pub(super) async fn to_the_end(session: &Session, name: String) -> Result<(), CliError> {
    let mut follower = Follower::new(session.output.progress());
    let send = |c, r| async move { Failovers::new(c).watch_failover(r).await };
    let request = pb::WatchFailoverRequest { name: name.clone() };
    session
        .concierge
        .watch(request, send, |message| Ok(follower.take(message)))
        .await?;
    let Some(failover) = follower.finish() else {
        let message = format!("{name} was not shown by the concierge");
        return Err(CliError::Missing {
            reason: "FAILOVER_NOT_FOUND",
            message,
        });
    };
    let what = format!("failover {}", last_segment(&failover.name));
    let verdict = tasks::bad_end(&what, failover.state(), failover.failure.as_ref());
    session.output.show(&FailoverView::from(failover))?;
    verdict
}

/// What was seen so far.
struct Follower {
    progress: Progress,
    steps_said: usize,
    last: Option<pb::Failover>,
}

impl Follower {
    fn new(progress: Progress) -> Self {
        Self {
            progress,
            steps_said: 0,
            last: None,
        }
    }

    fn take(&mut self, message: pb::WatchFailoverResponse) -> ControlFlow<()> {
        let Some(failover) = message.failover else {
            return ControlFlow::Continue(());
        };
        let view = FailoverView::from(failover.clone());
        for line in view.steps().skip(self.steps_said) {
            self.progress.note(&line);
            self.steps_said += 1;
        }
        self.progress.step(view.standing());
        // A stuck failover waits for a person, not for time.
        let is_over = failover.done || failover.state() == TaskState::Stuck;
        self.last = Some(failover);
        if is_over {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn finish(self) -> Option<pb::Failover> {
        self.last
    }
}
