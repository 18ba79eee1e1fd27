//! Encrypted backups of a hub's registry, in every configured object store.
//!
//! ```text
//! fleets/{fleet}/chunks/{name}.age                at most 1,000 devices, age-encrypted
//! fleets/{fleet}/backups/{backup}/manifest.json   in the clear, without ids and secrets
//! ```
//!
//! A decrypted chunk is an Azure export file. A chunk's name is a keyed fingerprint of what is in
//! it: nobody can guess contents by names, and a chunk that opens to something else is known to be
//! damaged. Kept true: only a backup that was read back from every store counts (I23).

pub(crate) mod chunk;
pub(crate) mod key;
pub(crate) mod line;
pub(crate) mod manifest;
pub(crate) mod read;
pub(crate) mod stores;
pub(crate) mod write;

use crate::config::Config;
use key::{BackupKey, BackupKeyError};
use stores::{Stores, StoresError};

/// Where backups are kept, and what opens them.
#[derive(Debug)]
pub(crate) struct Vault {
    /// The key.
    pub(crate) key: BackupKey,
    /// The stores.
    pub(crate) stores: Stores,
}

/// Why there is no vault.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VaultError {
    /// A store can't be used.
    #[error(transparent)]
    Stores(#[from] StoresError),
    /// The key can't be used.
    #[error(transparent)]
    Key(#[from] BackupKeyError),
}

impl Vault {
    /// Opens what is configured; `None` when no store is: then there are no backups.
    pub(crate) fn open(config: &Config) -> Result<Option<Self>, VaultError> {
        if config.backup_stores.is_empty() {
            return Ok(None);
        }
        let stores = config.backup_stores.iter();
        let stores = Stores::open(stores.map(|store| (store.name.as_str(), store.url.as_str())))?;
        let key = BackupKey::load(&config.backup_key, config.create_keys)?;
        Ok(Some(Self { key, stores }))
    }
}
