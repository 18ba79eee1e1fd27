//! Puts PostgreSQL on a machine that has none: Debian's package as root, a download into the
//! user's home as anybody else. What neither can do, the error tells a person to do.

use crate::account::is_root;
use crate::error::PgError;
use crate::find::{Installation, MINIMUM, find};

mod debian;
#[cfg(feature = "download")]
mod download;

/// The installation of this machine, made first when there is none.
///
/// # Errors
/// [`PgError::NotInstalled`] says why it could not be made and what a person can do.
pub async fn ensure_installed() -> Result<Installation, PgError> {
    if let Some(found) = find() {
        return Ok(found);
    }
    let why = match install().await? {
        Ok(()) => match find() {
            Some(found) => return Ok(found),
            None => "what was installed is too old".to_owned(),
        },
        Err(why) => why,
    };
    Err(PgError::NotInstalled {
        minimum: MINIMUM,
        why,
    })
}

/// The inner error is why it can't be done here, in words for a person.
async fn install() -> Result<Result<(), String>, PgError> {
    Ok(match (is_root()?, debian::is_debian()) {
        (true, true) => debian::install().await,
        (true, false) => Err("as root it is only installed on Debian and Ubuntu".to_owned()),
        (false, _) => download().await,
    })
}

#[cfg(feature = "download")]
async fn download() -> Result<(), String> {
    download::install().await
}

#[cfg(not(feature = "download"))]
async fn download() -> Result<(), String> {
    Err("this build can't download it".to_owned())
}
