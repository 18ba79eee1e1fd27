//! What the tests need from outside Rust, made or installed before they run, and told to them by
//! environment variables: a PostgreSQL, a Python with Microsoft's SDK, a grpcurl, and a few small
//! programs.

mod debian;
mod python;
mod tools;

use anyhow::Context as _;
use hubshift_testkit::pg::SERVER_VARIABLE;

use crate::context::Context;

/// The Python that has Microsoft's service SDK.
const PYTHON_VARIABLE: &str = "HUBSHIFT_SDK_PYTHON";

/// A real grpcurl.
const GRPCURL_VARIABLE: &str = "HUBSHIFT_GRPCURL";

/// Makes everything ready; returns what the tests' environment says about it.
pub(crate) async fn ready(context: &mut Context) -> anyhow::Result<Vec<(&'static str, String)>> {
    tools::ready()?;
    let url = context.postgres_url().await?;
    let tools = python::ready(&context.scratch("sdk-venv"))
        .context("the tests need Python with Microsoft's SDK, and grpcurl")?;
    let ours = [
        (PYTHON_VARIABLE, tools.python),
        (GRPCURL_VARIABLE, tools.grpcurl),
    ];
    let mut environment = vec![(SERVER_VARIABLE, url)];
    for (name, path) in ours {
        // Whoever set it knows better.
        if std::env::var_os(name).is_none() {
            environment.push((name, path.display().to_string()));
        }
    }
    Ok(environment)
}
