//! Signing keys and the key sets that devices trust: made, signed and checked on any machine, the
//! recovery key's own one above all, without a service.
//!
//! Kept true: no file with a key is ever overwritten, and a key set is only by a later one.

mod files;
#[cfg(test)]
mod tests;
mod view;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use hubshift_domain::route::{KeySet, PrivateKey};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::exit::CliError;
use crate::output::Output;
use view::{KeyView, SetView};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Makes a key, a concierge's signing key or the recovery key, and shows its public half
    #[command(after_help = "Example:\n  hubshift keys new signing.new.pem")]
    New {
        /// File that is made, PKCS #8 PEM, for its owner alone; must not be there
        file: PathBuf,
    },
    /// Shows the public half of a key; as JSON it is the JWK that `sign-set` reads
    #[command(after_help = "Example:\n  hubshift keys show signing.pem --output json > east.jwk")]
    Show {
        /// File with the private key
        file: PathBuf,
    },
    /// Signs the set of keys that devices are to trust with the recovery key
    #[command(
        after_help = "Example:\n  hubshift keys sign-set --recovery recovery.pem --out key-set.jws \
        east.jwk west.jwk\n\nThe set is dated later than the one that lies at --out."
    )]
    SignSet {
        /// File with the recovery key's private half
        #[arg(long, value_name = "PEM")]
        recovery: PathBuf,
        /// File that the signed set is written to
        #[arg(long, value_name = "JWS")]
        out: PathBuf,
        /// Date of the set, RFC 3339 [default: now]
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        issued_at: Option<OffsetDateTime>,
        /// Files with public keys: a JWK, a JWKS or a PEM each
        #[arg(required = true, value_name = "PUBLIC")]
        keys: Vec<PathBuf>,
    },
    /// Verifies a signed key set as a device that pins the recovery key does
    #[command(
        after_help = "Example:\n  hubshift keys verify --recovery-public recovery.jwk key-set.jws"
    )]
    Verify {
        /// File with the recovery key's public half: a JWK or a PEM
        #[arg(long, value_name = "PUBLIC")]
        recovery_public: PathBuf,
        /// File with the signed set, or with a concierge's whole key set document
        file: PathBuf,
    },
}

/// Does it and shows the result.
pub(crate) fn run(command: KeysCommand, output: Output) -> Result<(), CliError> {
    match command {
        KeysCommand::New { file } => output.show(&new(&file)?),
        KeysCommand::Show { file } => output.show(&KeyView::of(&files::private(&file)?)?),
        KeysCommand::SignSet {
            recovery,
            out,
            issued_at,
            keys,
        } => output.show(&sign_set(&recovery, &out, issued_at, &keys)?),
        KeysCommand::Verify {
            recovery_public,
            file,
        } => output.show(&verify(&recovery_public, &file)?),
    }
}

fn new(path: &Path) -> Result<KeyView, CliError> {
    let mut seed = [0; 32];
    OsRng.try_fill_bytes(&mut seed).map_err(|_| {
        CliError::ended_badly("NO_RANDOM_NUMBERS", "the system gives no random numbers")
    })?;
    let key = PrivateKey::from_seed(&seed);
    let view = KeyView::of(&key)?;
    files::create(path, &key)?;
    Ok(view)
}

fn sign_set(
    recovery: &Path,
    out: &Path,
    issued_at: Option<OffsetDateTime>,
    keys: &[PathBuf],
) -> Result<SetView, CliError> {
    let recovery = files::private(recovery)?;
    let mut set = KeySet::default();
    for path in keys {
        set.extend(&files::public_keys(path)?);
    }
    if set.contains(recovery.id()) {
        return Err(CliError::usage(
            "the recovery key signs key sets and no routes: leave it out of the set",
        ));
    }
    let before = files::held_set(out)?.and_then(|set| set.issue_time());
    let set = set.issued_at(date(before, issued_at, OffsetDateTime::now_utc())?);
    let token = set
        .sign(&recovery)
        .map_err(|error| CliError::usage(format!("the key set {error}")))?;
    files::replace(out, &token)?;
    SetView::of(&set, recovery.id())
}

/// The date of a new set, whole seconds: later than the one before, or devices would refuse it.
fn date(
    before: Option<OffsetDateTime>,
    wanted: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, CliError> {
    let whole = |time: OffsetDateTime| time.replace_nanosecond(0).unwrap_or(time);
    let next = before.map(|before| before + Duration::SECOND);
    match (wanted.map(whole), next) {
        (Some(wanted), Some(next)) if wanted < next => Err(CliError::usage(format!(
            "--issued-at must be later than that of the key set before, {}",
            view::rfc3339(next - Duration::SECOND)
        ))),
        (Some(wanted), _) => Ok(wanted),
        (None, Some(next)) => Ok(whole(now).max(next)),
        (None, None) => Ok(whole(now)),
    }
}

fn verify(recovery_public: &Path, path: &Path) -> Result<SetView, CliError> {
    let pinned = files::public_key(recovery_public)?;
    let token = files::signed_set(path)?;
    let set = KeySet::from_signed(&token, &pinned, None).map_err(|error| {
        let text = format!("{}: the key set {error}", path.display());
        CliError::ended_badly("KEY_SET_REFUSED", text)
    })?;
    SetView::of(&set, &pinned.id())
}

fn parse_time(text: &str) -> Result<OffsetDateTime, time::error::Parse> {
    OffsetDateTime::parse(text, &Rfc3339)
}
