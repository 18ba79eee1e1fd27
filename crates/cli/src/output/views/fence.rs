//! How a hub's hard fence stands.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::{time_text, value_name, yes};
use crate::output::{Block, View};

/// A hub's fence.
#[derive(Debug, Serialize)]
pub(crate) struct FenceView {
    name: String,
    can_fence: bool,
    state: String,
    epoch: u64,
    request_time: Option<String>,
    done_time: Option<String>,
    error: String,
    task: String,
    next: String,
}

impl From<pb::FenceStatus> for FenceView {
    fn from(status: pb::FenceStatus) -> Self {
        let state = status.state();
        Self {
            state: state_name(state),
            request_time: time_text(status.request_time.as_ref()),
            done_time: time_text(status.done_time.as_ref()),
            name: status.name,
            can_fence: status.can_fence,
            epoch: status.epoch,
            error: status.error,
            task: status.task,
            next: status.next,
        }
    }
}

impl FenceView {
    /// How it stands, in a word.
    pub(crate) fn state_text(&self) -> &str {
        &self.state
    }
}

/// `done`; `none` where there is no fence.
pub(super) fn state_name(state: pb::FenceState) -> String {
    if state == pb::FenceState::Unspecified {
        return "none".to_owned();
    }
    value_name(state.as_str_name(), "FENCE_STATE_")
}

impl View for FenceView {
    fn human(&self) -> String {
        let epoch = (self.epoch > 0).then_some(self.epoch);
        Block::new()
            .line("hard fence", &self.state)
            .line("can be shut out", yes(self.can_fence))
            .maybe("of epoch", epoch)
            .maybe("asked for", self.request_time.as_ref())
            .maybe("seen shut", self.done_time.as_ref())
            .line("trouble", &self.error)
            .line("task", &self.task)
            .line("next", &self.next)
            .text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_fields_of_the_protobuf_file_and_a_word_for_none() {
        let view = FenceView::from(pb::FenceStatus {
            name: "fleets/acme/hubs/east/fence".into(),
            ..Default::default()
        });
        let expected = serde_json::json!({
            "name": "fleets/acme/hubs/east/fence", "can_fence": false, "state": "none",
            "epoch": 0, "request_time": null, "done_time": null, "error": "", "task": "",
            "next": "",
        });
        assert_eq!(serde_json::to_value(&view).unwrap(), expected);
        assert_eq!(view.human(), "hard fence       none\ncan be shut out  no");
    }
}
