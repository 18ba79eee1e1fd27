//! The same answer over plain HTTP: `200`, or `304` to who has it.

use anyhow::{Context as _, ensure};
use http::StatusCode;

use super::{WARM_UP, h2load, wrk};
use crate::answers::Who;
use crate::contender::Contender;
use crate::judge::{Figure, Figures};
use crate::probe::{self, Page, Version};
use crate::world::{World, until};

/// How much a body's length may differ from the one that was seen first: it has a time in it.
const JITTER: usize = 16;

/// Measures HTTP/1.1.
pub(super) async fn http1(
    world: &World,
    contender: Contender,
    connections: u32,
    revalidate: bool,
    who: Who,
) -> anyhow::Result<Figures> {
    let (path, addr) = (
        who.path(world.answers.epoch),
        contender.addr(Version::Http1),
    );
    let page = answered(world, contender, Version::Http1, who).await?;
    let etag = match revalidate {
        true => Some(page.header("etag").context("it gives no entity tag")?),
        false => None,
    };
    if etag.is_some() {
        let again = probe::get(addr, &path, Version::Http1, etag).await?;
        ensure!(
            again.status == StatusCode::NOT_MODIFIED,
            "it answers {} to who has the page",
            again.status
        );
    }
    let url = format!("http://{addr}{path}");
    wrk::run(&url, connections, etag, WARM_UP).await?;
    let outcome = wrk::run(&url, connections, etag, world.place.options.seconds).await?;
    outcome.require(page.body.len() - JITTER, !revalidate)?;
    Ok(per_second(outcome.per_second))
}

/// Measures HTTP/2. `shape` is connections and streams on each.
pub(super) async fn http2(
    world: &World,
    contender: Contender,
    shape: (u32, u32),
    who: Who,
) -> anyhow::Result<Figures> {
    let (path, addr) = (
        who.path(world.answers.epoch),
        contender.addr(Version::Http2),
    );
    let page = answered(world, contender, Version::Http2, who).await?;
    let job = h2load::Job {
        url: format!("http://{addr}{path}"),
        connections: shape.0,
        streams: shape.1,
        message: None,
    };
    h2load::run(&job, WARM_UP).await?;
    let outcome = h2load::run(&job, world.place.options.seconds).await?;
    outcome.require(page.body.len())?;
    Ok(per_second(outcome.per_second))
}

fn per_second(answers: f64) -> Figures {
    Figures::from([(Figure::AnswersPerSecond, answers)])
}

/// What a server answers, which must be what the concierge answered.
async fn answered(
    world: &World,
    contender: Contender,
    version: Version,
    who: Who,
) -> anyhow::Result<Page> {
    let (path, addr) = (who.path(world.answers.epoch), contender.addr(version));
    let page = until("there is no page", || async {
        let page = probe::get(addr, &path, version, None).await?;
        ensure!(page.status == StatusCode::OK, "it answers {}", page.status);
        Ok(page)
    })
    .await?;
    let (length, expected) = (page.body.len(), world.answers.of(who).page.body.len());
    ensure!(
        length.abs_diff(expected) < JITTER && length > JITTER,
        "it answers {length} bytes, the concierge answered {expected}"
    );
    Ok(page)
}
