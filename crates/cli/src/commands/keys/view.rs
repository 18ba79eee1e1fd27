//! Keys and key sets, as they are printed. Never a private half.

use hubshift_domain::route::{KeySet, KeySetError, PrivateKey};
use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::exit::CliError;
use crate::output::{Block, View};

/// The public half of a key: as JSON, the JWK itself.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(super) struct KeyView {
    jwk: Value,
}

impl KeyView {
    pub(super) fn of(key: &PrivateKey) -> Result<Self, CliError> {
        let jwk = key.public().to_jwk().map_err(unprintable)?;
        Ok(Self { jwk })
    }
}

impl View for KeyView {
    fn human(&self) -> String {
        let kid = self.jwk["kid"].as_str().unwrap_or_default();
        Block::new().line("kid", kid).line("jwk", &self.jwk).text()
    }
}

/// A signed key set.
#[derive(Debug, Serialize)]
pub(super) struct SetView {
    /// When it was signed, RFC 3339; empty when it does not say.
    pub(super) issued_at: String,
    /// The recovery key's id.
    pub(super) recovery: String,
    /// The ids of its keys.
    pub(super) kids: Vec<String>,
}

impl SetView {
    pub(super) fn of(set: &KeySet, recovery: &str) -> Result<Self, CliError> {
        Ok(Self {
            issued_at: set.issue_time().map(rfc3339).unwrap_or_default(),
            recovery: recovery.to_owned(),
            kids: set.kids().map(str::to_owned).collect(),
        })
    }
}

impl View for SetView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("issued at", &self.issued_at)
            .line("recovery key", &self.recovery);
        let keys = self.kids.iter();
        keys.fold(block, |block, kid| block.line("key", kid)).text()
    }
}

/// A time as text; one that no calendar has is left empty.
pub(super) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}

fn unprintable(error: KeySetError) -> CliError {
    CliError::usage(format!("the key {error}"))
}
