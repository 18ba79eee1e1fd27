//! The key set as the recovery key signed it, offline or here, and its date.
//!
//! A device refuses a set that is older than the one it holds, so the date must rise whenever the
//! keys change, whatever the clock says: one start with a clock that was a year ahead must not make
//! devices deaf for a year. And it must rise only then. A set that was signed offline and is older
//! than the one that was published last is refused. Durable: the set that was published last.
//! Several concierges do not know of each other's dates: there a set that was signed offline, the
//! same for all, is the better way.

use hubshift_domain::route::{KeySet, PrivateKey, PublicKey};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::{SigningError, SigningFiles};

/// The set that was signed offline, if there is one, and the text of it.
pub(super) fn signed_offline(
    files: &SigningFiles,
    key: &PublicKey,
) -> Result<Option<(KeySet, String)>, SigningError> {
    let Some((token, set)) = files.signed()? else {
        return Ok(None);
    };
    let path = || files.signed.clone();
    if !set.holds(key) {
        let kid = key.id();
        return Err(SigningError::NotInSet { path: path(), kid });
    }
    match files.published()? {
        Some((_, last)) if set.issue_time() < last.issue_time() => {
            return Err(SigningError::Older {
                path: path(),
                date: date(&set),
                last: date(&last),
            });
        }
        Some((last, _)) if last == token => {}
        _ => note(files, &token),
    }
    Ok(Some((set, token)))
}

/// For people: the date, or that there is none.
fn date(set: &KeySet) -> String {
    let date = set.issue_time().and_then(|date| date.format(&Rfc3339).ok());
    date.unwrap_or_else(|| "no date".to_owned())
}

/// Notes what is published. Without the file the next set is dated as if this one had not been.
fn note(files: &SigningFiles, token: &str) {
    if let Err(error) = files.publish(token) {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "the key set is published, but could not be noted");
    }
}

/// The set with its date, and signed: the last one again if it holds the same keys.
pub(super) fn signed_here(
    files: &SigningFiles,
    set: KeySet,
    recovery: &PrivateKey,
    now: OffsetDateTime,
) -> Result<(KeySet, String), SigningError> {
    let last = files.published()?;
    let mut date = now;
    if let Some((token, held)) = last {
        let before = held.issue_time().unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let set = set.clone().issued_at(before);
        if KeySet::from_signed(&token, &recovery.public(), None).as_ref() == Ok(&set) {
            return Ok((set, token));
        }
        if now < before {
            tracing::warn!(
                %now, %before,
                "this machine's clock is behind the date of the last key set: one of them is \
                 wrong; the new set is dated a second later than the last"
            );
        }
        date = now.max(before + Duration::SECOND);
    }
    let set = set.issued_at(date);
    let token = set.sign(recovery).map_err(SigningError::Document)?;
    note(files, &token);
    Ok((set, token))
}
