//! How the registry behaves where real hubs are odd or nobody knows.

/// How the registry behaves where real hubs are odd or nobody knows.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RegistryOptions {
    /// Answer 401 where a shared access signature asks for modules of a device that is disabled or missing
    #[arg(long)]
    pub strict_module_access: bool,

    /// Keep the reported properties that bulk calls, imports and seeds bring
    #[arg(long)]
    pub import_reported: bool,
}
