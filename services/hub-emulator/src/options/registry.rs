//! How the registry behaves where real hubs are odd or nobody knows.

/// How the registry behaves where real hubs are odd or nobody knows.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct RegistryOptions {
    /// Answer 401 where a shared access signature asks for modules of a device that is disabled or missing
    #[arg(long, env = "HUB_EMULATOR_STRICT_MODULE_ACCESS")]
    pub strict_module_access: bool,

    /// Keep the reported properties that bulk calls, imports and seeds bring
    #[arg(long, env = "HUB_EMULATOR_IMPORT_REPORTED")]
    pub import_reported: bool,

    /// Refuse createOrUpdate in bulk calls, which is documented for import jobs only
    #[arg(long, env = "HUB_EMULATOR_STRICT_BULK_MODES")]
    pub strict_bulk_modes: bool,

    /// Tell the errors of bulk calls by number, as import jobs do, instead of by name
    #[arg(long, env = "HUB_EMULATOR_BULK_ERROR_NUMBERS")]
    pub bulk_error_numbers: bool,
}
