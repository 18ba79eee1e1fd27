//! The `hub-emulator` command: a local Azure IoT Hub.

use std::process::ExitCode;

use clap::Parser;
use hubshift_emulator::{Options, exit_code, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Exit code for a wrong command line (`EX_USAGE`).
const USAGE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  hub-emulator --listen 127.0.0.2:443 --hostname 127.0.0.2 --tls-dir tls --policy iothubowner:BASE64KEY
  hub-emulator --listen 127.0.0.1:0 --tls-dir tls --policy-file policies --data hub.jsonl
  hub-emulator --listen 127.0.0.1:8443 --policy iothubowner:BASE64KEY --seed devices.txt --admin 127.0.0.1:9443

Clients trust TLS_DIR/ca.pem and use
  HostName=127.0.0.2;SharedAccessKeyName=iothubowner;SharedAccessKey=BASE64KEY

To take the hub down and bring it back (with --admin):
  curl -X POST -H 'content-type: application/json' -d '{\"mode\":\"hang\"}' http://127.0.0.1:9443/outage
  curl -X POST -H 'content-type: application/json' -d '{\"mode\":\"none\"}' http://127.0.0.1:9443/outage

Exit codes: 0 stopped by a signal, 64 wrong options or files, 69 port taken or data file in use.";

/// A local Azure IoT Hub: the registry REST API over TLS, with outages to order.
#[derive(Parser)]
#[command(name = "hub-emulator", version, after_help = EXAMPLES)]
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
