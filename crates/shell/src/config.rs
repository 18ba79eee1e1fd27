//! Configuration: defaults compiled in, then a file, then the environment; the last one wins.
//!
//! Keys are TOML. In the environment a key is upper case behind the service's prefix, and `__`
//! goes one table down: `HUBSHIFT_CONCIERGE_TELEMETRY__LOG_FILTER`. Unknown keys are errors, by
//! `#[serde(deny_unknown_fields)]` on the target type. No error shows a configured value.

pub mod humane;
mod problem;

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::Figment;
use figment::error::Kind;
use figment::providers::{Env, Format, Toml};
use serde::de::DeserializeOwned;

pub use problem::Problem;

/// Why a configuration cannot be used. Exit with [`crate::exit::USAGE`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The configuration file that was asked for cannot be read.
    #[error("configuration file {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Some keys are unknown, missing or of the wrong type; one line for each problem.
    #[error("configuration is invalid:{}", problem::lines(.0))]
    Invalid(Vec<Problem>),
}

/// Reads a service's configuration into `T`.
///
/// `defaults` is the service's TOML, compiled in; `file` must exist if it is given; `env_prefix`
/// ends with an underscore (`HUBSHIFT_CONCIERGE_`). Two variables are special: `<prefix>CONFIG`
/// is left to the command line (it names `file`), and `DATABASE_URL`, when it is set and `T` has
/// a key `database_url`, beats every other source of that key. A variable's text is read as TOML
/// would: a string of nothing but digits needs quotes within its value.
///
/// # Errors
/// [`ConfigError`], which names the file or variable and the key, never the value.
pub fn load<T: DeserializeOwned>(
    defaults: &str,
    file: Option<&Path>,
    env_prefix: &str,
) -> Result<T, ConfigError> {
    let mut figment = Figment::from(Toml::string(defaults));
    if let Some(path) = file {
        std::fs::File::open(path).map_err(|source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        figment = figment.merge(Toml::file_exact(path));
    }
    let figment = figment.merge(Env::prefixed(env_prefix).ignore(&["config"]).split("__"));
    let with_url = figment.clone().merge(Env::raw().only(&["DATABASE_URL"]));
    match with_url.extract() {
        Ok(config) => Ok(config),
        Err(error) if is_foreign_url(&error) => figment.extract().map_err(invalid(env_prefix)),
        Err(error) => Err(invalid(env_prefix)(error)),
    }
}

/// Refuses spans of no length, by their keys and all of them at once: a loop that pauses for
/// nothing would spin, and a timer of nothing panics.
///
/// # Errors
/// [`ConfigError::Invalid`], with a line for each of them.
pub fn refuse_zero(spans: &[(&str, Duration)]) -> Result<(), ConfigError> {
    refuse(zeros(spans))
}

/// What [`refuse_zero`] refuses, for [`refuse`] together with other problems.
pub fn zeros(spans: &[(&str, Duration)]) -> Vec<(String, String)> {
    let zero = spans.iter().filter(|(_, span)| span.is_zero());
    zero.map(|(key, _)| ((*key).to_owned(), "expected more than nothing".to_owned()))
        .collect()
}

/// Refuses values that have the right type and can't be meant: keys, and what was expected there.
///
/// # Errors
/// [`ConfigError::Invalid`], with a line for each of them, if there is one.
pub fn refuse(problems: Vec<(String, String)>) -> Result<(), ConfigError> {
    if problems.is_empty() {
        return Ok(());
    }
    let problems = problems.iter().map(|(key, what)| Problem::with(key, what));
    Err(ConfigError::Invalid(problems.collect()))
}

/// `DATABASE_URL` is often set for other programs; a `T` without the key is not to fail for it.
fn is_foreign_url(error: &figment::Error) -> bool {
    matches!(&error.kind, Kind::UnknownField(name, _) if name == "database_url")
        && problem::is_top_level(error)
}

fn invalid(env_prefix: &str) -> impl Fn(figment::Error) -> ConfigError + '_ {
    move |error| {
        ConfigError::Invalid(
            error
                .into_iter()
                .map(|e| Problem::of(e, env_prefix))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests;
