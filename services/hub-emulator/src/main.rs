//! The `hub-emulator` command: a local Azure IoT Hub.

use std::process::ExitCode;

use clap::Parser;
use hubshift_emulator::{Options, exit_code, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Exit code for a wrong command line (`EX_USAGE`).
const USAGE: u8 = 64;

const BRIEF: &str = "Examples, faults and clients: hub-emulator --help";

const EXAMPLES: &str = "\
Examples:
  A hub in memory, and one that keeps its registry:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls
    hub-emulator --policy-file policies --tls-dir tls --data hub.jsonl

  Filled from export files, and dumped to them:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls --data hub.jsonl \\
      --seed devices.txt --seed-configurations configurations.txt
    hub-emulator --data hub.jsonl --dump devices.txt --dump-configurations configurations.txt

  For npm's client, which knows no port but 443:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls-2 --listen 127.0.0.2:443

  A hub that is down, and what else can be ordered while it runs:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls --admin 127.0.0.1:9443 \\
      --outage unavailable

  Throttled like one unit of S1, sixty times as fast:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls --tier s1 --throttle-speed 60

  With Entra ID and the resource manager, for one application each:
    hub-emulator --policy iothubowner:BASE64KEY --tls-dir tls --management 127.0.0.1:9444 \\
      --entra-client app:SECRET:data-contributor --entra-client fence:SECRET:contributor

Clients trust TLS_DIR/ca.pem, made for one host, and use
  HostName=127.0.0.1:8443;SharedAccessKeyName=iothubowner;SharedAccessKey=BASE64KEY

To order faults, throttles and how queries and jobs behave (with --admin):
  post() { curl -H 'content-type: application/json' -d \"$2\" http://127.0.0.1:9443/$1; }
  post outage '{\"mode\":\"hang\"}'                                all calls, until
  post outage '{\"mode\":\"none\"}'                                this
  post outage '{\"mode\":\"unavailable\",\"scope\":\"service\"}'     devices can still send
  post outage '{\"mode\":\"lost\",\"operation\":\"put_twin\",\"skip\":1,\"count\":1}'
  post outage '{\"mode\":\"slow\",\"latencyMs\":3000}'
  post throttle '{\"tier\":\"s1\",\"units\":2}'
  post query '{\"lag\":\"5m\",\"ghosts\":\"1h\"}'
  post jobs/behaviour '{\"linesPerSecond\":70}'
  curl 'http://127.0.0.1:9443/requests/log?after=0'
  curl http://127.0.0.1:9443/export                           all devices, keys included

Exit codes: 0 stopped by a signal, 64 wrong options or files, 69 port taken or data file in use.";

/// A local Azure IoT Hub: the registry REST API over TLS, with faults and throttles to order.
#[derive(Parser)]
#[command(name = "hub-emulator", version, after_help = BRIEF, after_long_help = EXAMPLES)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    start_logging();
    match serve(cli.options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hub-emulator: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

#[tokio::main]
async fn serve(options: Options) -> anyhow::Result<()> {
    let cancel = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let hub = run(options, cancel.clone());
    tokio::pin!(hub);
    tokio::select! {
        result = &mut hub => return result,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    cancel.cancel();
    hub.await
}

/// Logs go to standard error: standard output says where the hub listens and nothing else.
fn start_logging() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_help_are_true() {
        let text = EXAMPLES.replace("\\\n", " ");
        let lines = text.lines().map(str::trim);
        let examples: Vec<_> = lines
            .filter(|line| line.starts_with("hub-emulator "))
            .collect();
        assert_eq!(examples.len(), 8);
        for example in examples {
            let parsed = Cli::try_parse_from(example.split_whitespace());
            let options = parsed.unwrap_or_else(|error| panic!("{error}")).options;
            // Who keeps no certificates makes some that no client can trust.
            let serves = options.dump.is_none();
            assert_eq!(serves, options.tls_dir.is_some(), "{example}");
        }
    }
    /// Flags of other programs that the documentation speaks of.
    const OTHERS: [&str; 1] = ["network"];

    #[test]
    fn the_documentation_speaks_of_flags_that_there_are() {
        let command = <Cli as clap::CommandFactory>::command();
        let flags: Vec<_> = command
            .get_arguments()
            .filter_map(clap::Arg::get_long)
            .chain(["help"])
            .collect();
        let text = include_str!("../../../docs/hub-emulator.md");
        let quoted = text.split('`').filter_map(|part| part.strip_prefix("--"));
        let mut seen = 0;
        for flag in quoted.filter_map(|part| part.split_whitespace().next()) {
            let is_known = flags.contains(&flag) || OTHERS.contains(&flag);
            assert!(is_known, "--{flag}");
            seen += 1;
        }
        assert!(seen > 30, "{seen}");
    }
}
