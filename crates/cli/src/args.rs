//! The command line: the commands, and the options that every operator's command takes.
//!
//! The global options may stand before or behind a command's group; clap hands them down and the
//! inner one wins. `up`, `demo` and `service` have options of their own instead.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use hubshift_shell::config::humane;
use uuid::Uuid;

use crate::commands::{adopt, backup, device, failover, fleet, hub, merge, metadata, sync};
use crate::{demo, doctor, simulate, world};

const EXAMPLES: &str = "\
Examples:
  hubshift up                                            the whole world on this machine
  hubshift fleet get                                     where the fleet stands
  hubshift sync status                                   how far the standby is behind
  hubshift failover start --kind planned --to west --watch
  hubshift --output json failover list

Exit codes:
  0 done · 1 the operation ended badly · 64 wrong usage or request · 66 not found
  69 a service does not answer · 70 a defect · 75 not now, look again · 77 not allowed

Where the services are is taken from options, then the environment, then a context file
(./.hubshift/context.toml, which `hubshift up` writes).";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "hubshift",
    version,
    about = "Moves an IoT fleet from one hub to another and back without losing a device",
    after_help = EXAMPLES,
    // Handed down by the operator's groups alone, so that `up` and `demo` do not inherit them.
    mut_args = |arg| arg.global(false)
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Starts a whole two-region world on this machine
    #[command(after_help = "Example:\n  hubshift up --dir .hubshift")]
    Up(world::UpArgs),
    /// Shows a fleet lose its hub, move, live on and come home, and judges the result
    #[command(
        after_help = "Example:\n  hubshift demo --devices 2000 --east-returns rewound --output json"
    )]
    Demo {
        #[command(flatten)]
        args: demo::DemoArgs,

        /// How to print the report [default: table]
        #[arg(long, value_enum, value_name = "FORMAT")]
        output: Option<OutputFormat>,
    },
    /// Looks at two hubs, without a service and without a write, and says what a move would take
    #[command(
        after_help = "Example:\n  hubshift doctor --source file:east.secret --target file:west.secret --target-tier S1:2\n\n\
        Exit code 1 when something is to be decided before the target can follow."
    )]
    Doctor {
        #[command(flatten)]
        args: doctor::DoctorArgs,

        /// How to print the page [default: table]
        #[arg(long, value_enum, value_name = "FORMAT")]
        output: Option<OutputFormat>,
    },
    /// Simulates how a fleet arrives at the hub that it moves to, to size that hub before the day
    #[command(
        after_help = "Examples:\n  hubshift simulate --devices 1000000 --admission 6000\n  \
        hubshift simulate --devices 200000 --within 15m --strategy slots --svg storm.svg\n\n\
        Virtual time; the same seed gives the same result. Refused attempts cost the hub nothing here."
    )]
    Simulate {
        #[command(flatten)]
        args: simulate::SimulateArgs,

        /// How to print the result [default: table]
        #[arg(long, value_enum, value_name = "FORMAT")]
        output: Option<OutputFormat>,
    },
    /// Is one process of a world
    #[command(hide = true)]
    Service(world::service::ServiceArgs),
    /// Fleets: which hub is active, how fast devices move
    Fleet(Group<fleet::FleetCommand>),
    /// Hubs of a fleet, and how they are reached
    Hub(Group<hub::HubCommand>),
    /// Device identities, through the authority
    Device(Group<device::DeviceCommand>),
    /// Moves a fleet to another hub
    Failover(Group<failover::FailoverCommand>),
    /// Copies the registry to the standbys and proves that they are equal
    Sync(Group<sync::SyncCommand>),
    /// Plans what a new standby takes, and decides what becomes of what only it has
    Adopt(Group<adopt::AdoptCommand>),
    /// Encrypted backups of a hub's registry
    Backup(Group<backup::BackupCommand>),
    /// Brings a recovered hub and the active hub together
    Merge(Group<merge::MergeCommand>),
    /// A solution's own documents
    Metadata(Group<metadata::MetadataCommand>),
    /// Prints a completion script for a shell
    #[command(
        after_help = "Example:\n  hubshift completion bash > /etc/bash_completion.d/hubshift"
    )]
    Completion {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

// A group of an operator's commands. No doc comment here nor on `RemoteArgs`: clap would show it
// as the help text of every group.
#[derive(Debug, Args)]
pub(crate) struct Group<T: Subcommand> {
    #[command(flatten)]
    pub(crate) remote: RemoteArgs,
    #[command(subcommand)]
    pub(crate) command: T,
}

// Where the services are, and how to talk about them.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct RemoteArgs {
    /// The fleet [default: the only one there is]
    #[arg(long, global = true, value_name = "SLUG", env = "HUBSHIFT_FLEET")]
    pub(crate) fleet: Option<String>,

    /// How to print [default: table]
    #[arg(long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<OutputFormat>,

    /// Operator listener of a concierge [default: http://127.0.0.1:7601]
    #[arg(long, global = true, value_name = "URL", env = "HUBSHIFT_CONCIERGE")]
    pub(crate) concierge: Option<String>,

    /// registry-sync [default: http://127.0.0.1:7611]
    #[arg(long, global = true, value_name = "URL", env = "HUBSHIFT_REGISTRY")]
    pub(crate) registry: Option<String>,

    /// merge [default: http://127.0.0.1:7621]
    #[arg(long, global = true, value_name = "URL", env = "HUBSHIFT_MERGE")]
    pub(crate) merge: Option<String>,

    /// Authority that signed the services' certificates; needed for https
    #[arg(long, global = true, value_name = "PEM", env = "HUBSHIFT_CA")]
    pub(crate) ca: Option<PathBuf>,

    /// Certificate to show to the services; goes with --key
    #[arg(long, global = true, value_name = "PEM", env = "HUBSHIFT_CERT")]
    pub(crate) cert: Option<PathBuf>,

    /// Its private key
    #[arg(long, global = true, value_name = "PEM", env = "HUBSHIFT_KEY")]
    pub(crate) key: Option<PathBuf>,

    /// File with these settings [default: ./.hubshift/context.toml, if it is there]
    #[arg(long, global = true, value_name = "TOML", env = "HUBSHIFT_CONTEXT")]
    pub(crate) context: Option<PathBuf>,

    /// UUID of the request: a repetition with the same one has no second effect
    #[arg(long, global = true, value_name = "UUID")]
    pub(crate) request_id: Option<Uuid>,

    /// How long to repeat a call that a service is too busy or too dead to answer [default: 10s]
    #[arg(long, global = true, value_name = "TIME", value_parser = humane::parse)]
    pub(crate) retry_for: Option<Duration>,

    /// Deadline of a single call [default: 30s]
    #[arg(long, global = true, value_name = "TIME", value_parser = humane::parse)]
    pub(crate) timeout: Option<Duration>,

    /// Say more: the request id, and what is repeated
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OutputFormat {
    /// For people
    #[default]
    Table,
    /// One JSON object a line
    Json,
}

#[cfg(test)]
mod tests;
