//! registry-sync's hard fences as the tests want them.

use hubshift_api::fault;
use hubshift_api::pb::registry as r;
use hubshift_api::pb::registry::fence_service_server::FenceService;
use tonic::{Code, Request, Response, Status};

use crate::fakes::Below;

/// How the management plane of the hubs behaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Plane {
    /// Nobody said how to reach it.
    #[default]
    None,
    /// It shuts hubs out.
    Works,
    /// It takes its time.
    Slow,
    /// It refuses.
    Refuses,
    /// A person opened what it shut.
    Opened,
}

impl Plane {
    fn answer(self, message: &r::FenceHubRequest) -> Result<r::FenceStatus, Status> {
        let status = |state: r::FenceState| r::FenceStatus {
            name: format!("{}/hubs/{}/fence", message.fleet, message.hub),
            can_fence: true,
            state: state.into(),
            epoch: message.epoch,
            ..r::FenceStatus::default()
        };
        match self {
            Self::None => {
                let text = "the hub's connection has no management_ref";
                let refused = fault::status(Code::FailedPrecondition, "FENCE_UNAVAILABLE", text);
                Err(refused)
            }
            Self::Works => Ok(status(r::FenceState::Done)),
            Self::Slow => Ok(r::FenceStatus {
                task: "fleets/acme/tasks/1".into(),
                ..status(r::FenceState::Unknown)
            }),
            Self::Refuses => Ok(r::FenceStatus {
                error: "the plane refuses".into(),
                ..status(r::FenceState::Requested)
            }),
            Self::Opened => Ok(status(r::FenceState::Lifted)),
        }
    }
}

#[tonic::async_trait]
impl FenceService for Below {
    async fn get_fence(
        &self,
        _: Request<r::GetFenceRequest>,
    ) -> Result<Response<r::FenceStatus>, Status> {
        Err(fault::status(
            Code::Unimplemented,
            "NOT_PLAYED",
            "no test needs it",
        ))
    }

    async fn fence_hub(
        &self,
        request: Request<r::FenceHubRequest>,
    ) -> Result<Response<r::FenceStatus>, Status> {
        let message = request.into_inner();
        let mut script = self.script();
        let answer = script.plane.answer(&message);
        script.fenced.push(message);
        answer.map(Response::new)
    }

    async fn unfence_hub(
        &self,
        _: Request<r::UnfenceHubRequest>,
    ) -> Result<Response<r::FenceStatus>, Status> {
        Err(fault::status(
            Code::Unimplemented,
            "NOT_PLAYED",
            "no test needs it",
        ))
    }
}
