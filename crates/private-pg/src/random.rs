//! Names and passwords that nobody guesses.

use crate::error::PgError;

/// Random hexadecimal text of `2 * N` characters, from the system's generator.
pub(crate) fn hex<const N: usize>() -> Result<String, PgError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| PgError::io("get random bytes")(std::io::Error::other(error)))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
