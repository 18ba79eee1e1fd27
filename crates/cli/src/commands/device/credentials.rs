//! Credentials on the command line: their kind as a word, their secrets from a file only, because
//! other users of a machine see what is typed.

use std::path::Path;

use clap::ValueEnum;
use hubshift_api::pb::registry::DeviceCredentials;
use hubshift_api::pb::types;
use serde::Deserialize;

use crate::commands::document_file;
use crate::exit::CliError;

/// How a device proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CredentialKind {
    /// Two symmetric keys
    Sas,
    /// Two certificate thumbprints
    SelfSigned,
    /// A certificate of an authority that the hub trusts
    Ca,
}

impl CredentialKind {
    pub(super) fn wire(self) -> types::CredentialKind {
        match self {
            Self::Sas => types::CredentialKind::Sas,
            Self::SelfSigned => types::CredentialKind::SelfSigned,
            Self::Ca => types::CredentialKind::Ca,
        }
    }
}

/// What a file may say. No `Debug`: it holds secrets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialsFile {
    /// Whose they are, as printed; not needed.
    #[serde(default, rename = "name")]
    _name: Option<String>,
    kind: CredentialKind,
    #[serde(default)]
    primary_key: String,
    #[serde(default)]
    secondary_key: String,
    #[serde(default)]
    primary_thumbprint: String,
    #[serde(default)]
    secondary_thumbprint: String,
}

/// Reads credentials as `device credentials --output json` prints them, or as TOML.
///
/// # Errors
/// The file is missing or is not that.
pub(super) fn read(path: &Path) -> Result<DeviceCredentials, CliError> {
    let file: CredentialsFile = document_file::read(path)?;
    Ok(DeviceCredentials {
        name: String::new(),
        kind: file.kind.wire().into(),
        primary_key: file.primary_key,
        secondary_key: file.secondary_key,
        primary_thumbprint: file.primary_thumbprint,
        secondary_thumbprint: file.secondary_thumbprint,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::views::CredentialsView;

    #[test]
    fn what_was_printed_can_be_read_and_an_error_shows_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("device.json");
        let printed = DeviceCredentials {
            name: "fleets/acme/devices/d".into(),
            kind: types::CredentialKind::SelfSigned.into(),
            primary_thumbprint: "AB".into(),
            ..Default::default()
        };
        let text = serde_json::to_string(&CredentialsView::from(printed.clone())).unwrap();
        std::fs::write(&path, text).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(found.primary_thumbprint, printed.primary_thumbprint);
        assert_eq!(found.kind, printed.kind);

        let broken = folder.path().join("device.toml");
        std::fs::write(&broken, "kind = \"sas\"\nprimary_key = \"c2VjcmV0").unwrap();
        let error = read(&broken).unwrap_err();
        assert_eq!(error.code(), 64);
        assert!(!error.to_string().contains("c2VjcmV0"), "{error}");
    }
}
