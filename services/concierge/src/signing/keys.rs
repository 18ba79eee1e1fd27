//! The keys as they lie in the folder at one moment, checked whole.

use bytes::Bytes;
use hubshift_domain::route::{KeySet, PrivateKey};
use time::{Duration, OffsetDateTime};

use super::{Seal, SigningError, SigningFiles, set};

/// What signs, what verifies, and what is published. Never printed.
#[derive(Debug)]
pub(super) struct Keys {
    pub(super) key: PrivateKey,
    pub(super) trusted: KeySet,
    pub(super) document: Bytes,
    pub(super) seal: Seal,
}

impl Keys {
    /// Reads the folder. `before`: what is used until now; without it a missing signing key may be
    /// made.
    pub(super) fn read(
        files: &SigningFiles,
        now: OffsetDateTime,
        before: Option<&Self>,
    ) -> Result<Self, SigningError> {
        let key = files.signing_key(before.is_none())?;
        let mut trusted = files.trusted()?.unwrap_or_default();
        let offline = set::signed_offline(files, &key.public())?;
        if let Some((set, _)) = &offline {
            tell_of_strays(&trusted, set);
            trusted.extend(set);
        }
        // Last: no file gives the name of the key that signs here to another one.
        trusted.extend(&KeySet::new([key.public()]));
        if let Some((set, token)) = offline {
            let date = set.issue_time().unwrap_or(now);
            return Self::of(key, trusted.issued_at(date), Some(token));
        }
        if let Some(recovery) = files.recovery_key()? {
            let (trusted, token) = set::signed_here(files, trusted, &recovery, now)?;
            return Self::of(key, trusted, Some(token));
        }
        let date = date(&trusted, before.map(|keys| &keys.trusted), now);
        Self::of(key, trusted.issued_at(date), None)
    }

    /// These keys; `signed` is the set as the recovery key signed it.
    pub(super) fn of(
        key: PrivateKey,
        trusted: KeySet,
        signed: Option<String>,
    ) -> Result<Self, SigningError> {
        Ok(Self {
            document: document(&trusted, signed)?,
            seal: Seal::of(&key, &trusted),
            key,
            trusted,
        })
    }

    /// Whether nobody could tell the other ones from these.
    pub(super) fn are(&self, other: &Self) -> bool {
        self.key.id() == other.key.id() && self.document == other.document
    }
}

/// A key that is believed here and not by devices that pin the recovery key: one that was forgotten
/// when it was taken out of the signed set, most likely.
fn tell_of_strays(trusted: &KeySet, signed: &KeySet) {
    let strays: Vec<&str> = trusted.kids().filter(|kid| !signed.contains(kid)).collect();
    if !strays.is_empty() {
        tracing::warn!(
            kids = ?strays,
            "trusted.json names keys that key-set.jws does not hold: devices that pin the recovery \
             key refuse what is signed by them"
        );
    }
}

/// The date of a set that nobody signed: it stays while the keys are the same, and never goes back.
fn date(set: &KeySet, before: Option<&KeySet>, now: OffsetDateTime) -> OffsetDateTime {
    match before.and_then(|before| Some((before.id(), before.issue_time()?))) {
        Some((id, date)) if id == set.id() => date,
        Some((_, date)) => now.max(date + Duration::SECOND),
        None => now,
    }
}

fn document(set: &KeySet, signed: Option<String>) -> Result<Bytes, SigningError> {
    let mut json = set.to_json().map_err(SigningError::Document)?;
    if let (Some(signed), Some(object)) = (signed, json.as_object_mut()) {
        object.insert("signed".to_owned(), signed.into());
    }
    Ok(Bytes::from(json.to_string()))
}
