//! What the tests need from outside Rust, made or installed before they run, and told to them by
//! environment variables: a PostgreSQL, a Python and a Node with Microsoft's SDKs, an Azurite, a
//! grpcurl, a gdnsd, and a few small programs.

mod debian;
mod gdnsd;
mod measuring;
mod node;
mod python;
mod tools;

use std::path::PathBuf;

use anyhow::Context as _;
use hubshift_testkit::pg::SERVER_VARIABLE;

use crate::context::Context;

/// The Python that has Microsoft's service and device SDKs.
const PYTHON_VARIABLE: &str = "HUBSHIFT_SDK_PYTHON";

/// A directory with `node_modules`, which has Microsoft's service SDK for Node.
const NODE_VARIABLE: &str = "HUBSHIFT_SDK_NODE";

/// The script of Azurite's blob service.
const AZURITE_VARIABLE: &str = "HUBSHIFT_AZURITE";

/// A real grpcurl.
const GRPCURL_VARIABLE: &str = "HUBSHIFT_GRPCURL";

/// A gdnsd.
const GDNSD_VARIABLE: &str = "HUBSHIFT_GDNSD";

/// Makes everything ready; returns what the tests' environment says about it.
pub(crate) async fn ready(context: &mut Context) -> anyhow::Result<Vec<(&'static str, String)>> {
    tools::ready()?;
    let url = context.postgres_url().await?;
    let tools = python::ready(&context.scratch("sdk-venv"))
        .context("the tests need Python with Microsoft's SDK, and grpcurl")?;
    let mut environment = node_tools(context)?;
    if let Some(gdnsd) = gdnsd::ready()? {
        environment.extend(unless_set([(GDNSD_VARIABLE, gdnsd)]));
    }
    environment.push((SERVER_VARIABLE, url));
    environment.extend(unless_set([
        (PYTHON_VARIABLE, tools.python),
        (GRPCURL_VARIABLE, tools.grpcurl),
    ]));
    Ok(environment)
}

/// What runs on Node alone, and what the environment says about it.
pub(crate) fn node_tools(context: &Context) -> anyhow::Result<Vec<(&'static str, String)>> {
    let tools = node::ready(&context.scratch("sdk-node"))
        .context("the tests need Node with Microsoft's SDK, and Azurite")?;
    let ours = [
        (NODE_VARIABLE, tools.sdk),
        (AZURITE_VARIABLE, tools.azurite),
    ];
    Ok(unless_set(ours))
}

/// What benchmarks run: servers to measure against, and programs that load them.
pub(crate) fn measuring_tools() -> anyhow::Result<()> {
    measuring::ready().context("a benchmark runs other programs")
}

/// Leaves out what is set: whoever set it knows better.
fn unless_set<const N: usize>(ours: [(&'static str, PathBuf); N]) -> Vec<(&'static str, String)> {
    ours.into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .map(|(name, path)| (name, path.display().to_string()))
        .collect()
}
