//! Unary calls of gRPC: `GetEndpoint`, or etcd's `Range` of a key with the same bytes.

use anyhow::ensure;
use bytes::Bytes;
use tonic::transport::Channel;

use super::{WARM_UP, h2load};
use crate::answers::{Asked, Who, request_file};
use crate::contender::{Contender, etcd};
use crate::grpc;
use crate::judge::{Figure, Figures};
use crate::probe::Version;
use crate::world::{World, until};

/// What stands before a message in a body, bytes.
const FRAME: usize = 5;
/// How much longer an answer may be than the concierge's was: etcd wraps the value.
const WRAPPING: usize = 128;
/// How much shorter: the time within the concierge's answer has fewer digits now and then.
const JITTER: usize = 16;

/// Measures one server. `shape` is connections and streams on each.
pub(super) async fn measure(
    world: &World,
    contender: Contender,
    shape: (u32, u32),
    who: Who,
) -> anyhow::Result<Figures> {
    let addr = contender.addr(Version::Http2);
    let asked = world.answers.of(who);
    let channel = grpc::channel(addr)?;
    let memory = world.place.memory.path();
    let (path, request, file) = match contender {
        Contender::Etcd => {
            let value = etcd::put(&asked.message);
            until("etcd takes no value", || {
                etcd::send_put(&channel, value.clone())
            })
            .await?;
            let file = memory.join("range");
            std::fs::write(&file, grpc::framed(&etcd::range()))?;
            (etcd::RANGE, etcd::range(), file)
        }
        _ => {
            let file = request_file(memory, who);
            (grpc::GET_ENDPOINT, asked.request.clone(), file)
        }
    };
    let length = answered(&channel, path, &request, asked).await?;
    drop(channel);
    let job = h2load::Job {
        url: format!("http://{addr}{path}"),
        connections: shape.0,
        streams: shape.1,
        message: Some(&file),
    };
    h2load::run(&job, WARM_UP).await?;
    let outcome = h2load::run(&job, world.place.options.seconds).await?;
    outcome.require(length + FRAME)?;
    Ok(Figures::from([(
        Figure::AnswersPerSecond,
        outcome.per_second,
    )]))
}

/// The length of the answer, which must be as long as the one that the concierge gave.
async fn answered(
    channel: &Channel,
    path: &'static str,
    request: &Bytes,
    asked: &Asked,
) -> anyhow::Result<usize> {
    let answer = until("there is no answer", || async {
        anyhow::Ok(grpc::unary(channel, path, request.clone()).await?)
    });
    let length = answer.await?.len();
    let expected = asked.message.len();
    ensure!(
        (expected.saturating_sub(JITTER)..=expected + WRAPPING).contains(&length),
        "it answers {length} bytes, the concierge answered {expected}"
    );
    Ok(length)
}
