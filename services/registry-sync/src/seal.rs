//! The only place that opens credentials: fleet keys, sealing, fingerprints of secrets.
//!
//! Durable: `registry.fleet_key`, two random keys per fleet, wrapped by the key-encryption key.
//! Kept true: sealed bytes open only for the fleet and the device that they were sealed for, and
//! no key shows itself in `Debug`, logs or errors.

mod kek;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::{Credential, CredentialKind, FingerprintKey};
use hubshift_hub::Credentials;
use hubshift_store::StoreError;
use sqlx::PgPool;
use tokio::sync::Mutex;

use crate::secret::SecretError;
use crate::store::fleet_key;

pub(crate) use kek::Kek;

/// The form of sealed bytes: this byte, a nonce of 24 bytes, the ciphertext.
const VERSION: u8 = 1;
const NONCE: usize = 24;

/// Why a key or a credential can't be had. Never shows one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The key-encryption key can't be read.
    #[error("the key-encryption key is not there")]
    Missing(#[source] SecretError),
    /// The key-encryption key is not 32 bytes of base64.
    #[error("the key-encryption key is not 32 bytes in base64")]
    NotAKey,
    /// The key file can't be made.
    #[error("the key file {0} cannot be made")]
    NotMade(std::path::PathBuf, #[source] std::io::Error),
    /// The fleet's keys were wrapped by another key-encryption key.
    #[error("the fleet's keys were sealed with key {0}, which this process does not have")]
    ForeignKek(String),
    /// Bytes do not open: damaged, or of another device or fleet.
    #[error("sealed bytes do not open")]
    Damaged,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The keys of all fleets, read when they are first needed.
pub(crate) struct Keyring {
    kek: Kek,
    fleets: Mutex<HashMap<FleetId, Arc<FleetKeys>>>,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("kek", &self.kek)
            .finish_non_exhaustive()
    }
}

impl Keyring {
    /// A keyring under a key-encryption key.
    pub(crate) fn new(kek: Kek) -> Self {
        Self {
            kek,
            fleets: Mutex::default(),
        }
    }

    /// A fleet's keys; made and wrapped at first use.
    pub(crate) async fn fleet(
        &self,
        pool: &PgPool,
        fleet: &FleetId,
    ) -> Result<Arc<FleetKeys>, KeyError> {
        let mut fleets = self.fleets.lock().await;
        if let Some(keys) = fleets.get(fleet) {
            return Ok(keys.clone());
        }
        let fingerprint = self.key(pool, fleet, "fingerprint").await?;
        let data = self.key(pool, fleet, "data").await?;
        let keys = Arc::new(FleetKeys {
            fleet: fleet.clone(),
            fingerprint: FingerprintKey::new(fingerprint),
            data: cipher(&data),
        });
        fleets.insert(fleet.clone(), keys.clone());
        Ok(keys)
    }

    async fn key(&self, pool: &PgPool, fleet: &FleetId, kind: &str) -> Result<[u8; 32], KeyError> {
        if let Some(key) = self.stored(pool, fleet, kind).await? {
            return Ok(key);
        }
        let mut fresh = [0u8; 32];
        getrandom::fill(&mut fresh).map_err(|_| KeyError::NoRandomness)?;
        let wrapped = self.kek.wrap(fleet, kind, &fresh)?;
        let kek_id = self.kek.id().to_owned();
        let key = fleet_key::WrappedKey {
            kind: kind.to_owned(),
            kek_id,
            wrapped,
        };
        fleet_key::add(pool, fleet.as_str(), &key).await?;
        // Of two replicas the first one's key counts.
        self.stored(pool, fleet, kind)
            .await?
            .ok_or(KeyError::Damaged)
    }

    async fn stored(
        &self,
        pool: &PgPool,
        fleet: &FleetId,
        kind: &str,
    ) -> Result<Option<[u8; 32]>, KeyError> {
        let keys = fleet_key::list(pool, fleet.as_str()).await?;
        let Some(key) = keys.into_iter().find(|key| key.kind == kind) else {
            return Ok(None);
        };
        if key.kek_id != self.kek.id() {
            return Err(KeyError::ForeignKek(key.kek_id));
        }
        self.kek.unwrap(fleet, kind, &key.wrapped).map(Some)
    }
}

/// One fleet's keys.
pub(crate) struct FleetKeys {
    fleet: FleetId,
    /// Keys the fingerprints of records and credentials.
    pub(crate) fingerprint: FingerprintKey,
    data: XChaCha20Poly1305,
}

impl fmt::Debug for FleetKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FleetKeys")
            .field("fleet", &self.fleet)
            .finish_non_exhaustive()
    }
}

impl FleetKeys {
    /// Seals a device's credentials. Two seals of the same credentials differ: compare
    /// [`Self::credential`] instead.
    pub(crate) fn seal(&self, device: &str, plain: &Credentials) -> Result<Vec<u8>, KeyError> {
        seal(&self.data, &self.aad(device), &plain.to_bytes())
    }

    /// Opens what was sealed for this device.
    pub(crate) fn open(&self, device: &str, sealed: &[u8]) -> Result<Credentials, KeyError> {
        let plain = open(&self.data, &self.aad(device), sealed)?;
        Credentials::from_bytes(&plain).map_err(|_| KeyError::Damaged)
    }

    /// A credential without its secret.
    pub(crate) fn credential(&self, device: &str, plain: &Credentials) -> Credential {
        let domain = format!("credential:{device}");
        Credential {
            kind: kind(plain),
            fingerprint: self.fingerprint.fingerprint(&domain, &plain.to_bytes()),
        }
    }

    fn aad(&self, device: &str) -> Vec<u8> {
        format!("{}|{device}|{VERSION}", self.fleet).into_bytes()
    }
}

fn kind(plain: &Credentials) -> CredentialKind {
    match plain {
        Credentials::Sas { .. } => CredentialKind::Sas,
        Credentials::SelfSigned { .. } => CredentialKind::SelfSigned,
        Credentials::Ca => CredentialKind::Ca,
        Credentials::None => CredentialKind::None,
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn seal(cipher: &XChaCha20Poly1305, aad: &[u8], plain: &[u8]) -> Result<Vec<u8>, KeyError> {
    let mut nonce = [0u8; NONCE];
    getrandom::fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
    let text = cipher
        .encrypt((&nonce).into(), Payload { msg: plain, aad })
        .map_err(|_| KeyError::Damaged)?;
    let mut sealed = Vec::with_capacity(1 + NONCE + text.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&text);
    Ok(sealed)
}

fn open(cipher: &XChaCha20Poly1305, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
    let rest = sealed.strip_prefix(&[VERSION]).ok_or(KeyError::Damaged)?;
    let (nonce, text) = rest.split_first_chunk::<NONCE>().ok_or(KeyError::Damaged)?;
    cipher
        .decrypt(nonce.into(), Payload { msg: text, aad })
        .map_err(|_| KeyError::Damaged)
}

#[cfg(test)]
pub(crate) mod tests;
