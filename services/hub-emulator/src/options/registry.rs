//! How the registry behaves where real hubs are odd or nobody knows, and where it is written to.

use std::path::PathBuf;

/// How the registry behaves where real hubs are odd or nobody knows, and where it is written to.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RegistryOptions {
    /// Answer 401 where a shared access signature asks for modules of a device that is disabled or missing
    #[arg(long)]
    pub strict_module_access: bool,

    /// Keep the reported properties that bulk calls, imports and seeds bring
    #[arg(long)]
    pub import_reported: bool,

    /// Export file to write the registry to when the hub stops; it has the keys in it
    #[arg(long, env = "HUB_EMULATOR_DUMP", value_name = "FILE")]
    pub dump: Option<PathBuf>,
}
