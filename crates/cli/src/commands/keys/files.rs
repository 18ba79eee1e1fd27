//! The files with keys and key sets. No error shows what a file holds.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hubshift_domain::route::{KeySet, PrivateKey, PublicKey};
use serde::Deserialize;

use crate::exit::CliError;

fn refused(path: &Path, problem: impl std::fmt::Display) -> CliError {
    CliError::usage(format!("{}: {problem}", path.display()))
}

fn read(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| refused(path, error))
}

/// The private key in a PEM file.
pub(super) fn private(path: &Path) -> Result<PrivateKey, CliError> {
    PrivateKey::from_pem(&read(path)?).map_err(|error| refused(path, error))
}

/// Writes a private key to a file that is not there yet, for its owner alone.
pub(super) fn create(path: &Path, key: &PrivateKey) -> Result<(), CliError> {
    let pem = key.to_pem().map_err(|error| refused(path, error))?;
    let opened = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(pem.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| refused(path, error))
}

/// The public key in a file: a JWK or a PEM.
pub(super) fn public_key(path: &Path) -> Result<PublicKey, CliError> {
    let text = read(path)?;
    PublicKey::from_jwk(text.as_bytes())
        .or_else(|_| PublicKey::from_pem(&text))
        .map_err(|error| refused(path, error))
}

/// The public keys in a file: a JWKS, a JWK or a PEM.
pub(super) fn public_keys(path: &Path) -> Result<KeySet, CliError> {
    if let Ok(set) = KeySet::from_json(read(path)?.as_bytes()) {
        return Ok(set);
    }
    Ok(KeySet::new([public_key(path)?]))
}

#[derive(Deserialize)]
struct Document {
    signed: Option<String>,
}

/// The signed set in a file: by itself, or in a concierge's document.
pub(super) fn signed_set(path: &Path) -> Result<String, CliError> {
    let text = read(path)?;
    if !text.trim_start().starts_with('{') {
        return Ok(text.trim().to_owned());
    }
    let document: Document =
        serde_json::from_str(&text).map_err(|_| refused(path, "is not a key set document"))?;
    let signed = document.signed;
    signed.ok_or_else(|| refused(path, "is a key set that no recovery key signed"))
}

/// The signed set that lies there already, if any.
pub(super) fn held_set(path: &Path) -> Result<Option<KeySet>, CliError> {
    match std::fs::read_to_string(path) {
        Ok(text) => KeySet::from_unverified(text.trim())
            .map(Some)
            .map_err(|_| refused(path, "is no key set, and is not overwritten")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(refused(path, error)),
    }
}

/// Replaces a signed set, whole: a concierge may be reading it.
pub(super) fn replace(path: &Path, token: &str) -> Result<(), CliError> {
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let written = std::fs::write(&aside, format!("{token}\n"))
        .and_then(|()| std::fs::File::open(&aside)?.sync_all())
        .and_then(|()| std::fs::rename(&aside, path));
    if written.is_err() {
        let _gone = std::fs::remove_file(&aside);
    }
    written.map_err(|error| refused(path, error))
}
