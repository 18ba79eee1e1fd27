//! The conformance suite, built and run. The connection string goes by the environment: a command
//! line can be seen by everyone on the machine, and stands in our own error when the suite fails.

use std::path::PathBuf;

use crate::context::Context;
use crate::process::{cargo, run};

/// Where the suite looks for the connection string.
const CONNECTION_VARIABLE: &str = "HUBSHIFT_CONFORMANCE_CONNECTION_STRING";

/// What the suite is told. It has no `Debug`: the connection string has a key.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The hub's, of a policy that may do everything (iothubowner)
    #[arg(
        long,
        env = "HUBSHIFT_CONFORMANCE_CONNECTION_STRING",
        hide_env_values = true,
        value_name = "TEXT"
    )]
    connection_string: String,

    /// Certificates to trust instead of the public authorities
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Only what leaves nothing behind and writes nothing
    #[arg(long)]
    harmless_only: bool,

    /// How to report: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    output: String,
}

/// Runs the suite; it fails when a check does.
pub(crate) fn run_suite(context: &Context, arguments: Arguments) -> anyhow::Result<()> {
    let mut cargo = cargo(&context.root);
    cargo.args(["run", "--quiet", "-p", "hubshift-conformance", "--"]);
    cargo.args(["--output", &arguments.output]);
    if arguments.harmless_only {
        cargo.arg("--harmless-only");
    }
    if let Some(ca) = arguments.ca {
        // Cargo runs at the top of the checkout, the person may be elsewhere.
        cargo.arg("--ca").arg(std::path::absolute(ca)?);
    }
    run(cargo.env(CONNECTION_VARIABLE, arguments.connection_string))
}
