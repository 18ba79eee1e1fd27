//! Which source wins, and what an operator reads when one is wrong.
#![allow(clippy::result_large_err)] // the jail dictates the error type of its closures

use std::path::PathBuf;
use std::time::Duration;

use figment::Jail;
use serde::Deserialize;

use super::*;

const DEFAULTS: &str = r#"
database_url = "postgres://default"
listen = "127.0.0.1:7600"
[limits]
wait = "2s"
rate = 5
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    database_url: String,
    listen: String,
    limits: Limits,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(with = "humane")]
    wait: Duration,
    rate: u32,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoDatabase {
    listen: String,
}

fn file(jail: &Jail, text: &str) -> PathBuf {
    let path = jail.directory().join("service.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What a person reads: the error and its key, for the given file and environment.
fn refused(file_text: &str, env: &[(&str, &str)]) -> String {
    let mut message = String::new();
    Jail::expect_with(|jail| {
        jail.clear_env();
        for (key, value) in env {
            jail.set_env(key, value);
        }
        let path = file(jail, file_text);
        message = load::<Config>(DEFAULTS, Some(&path), "HUBSHIFT_T_")
            .unwrap_err()
            .to_string();
        Ok(())
    });
    message
}

#[test]
fn environment_beats_file_beats_defaults() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.set_env("HUBSHIFT_T_LIMITS__WAIT", "250ms");
        jail.set_env("HUBSHIFT_T_LISTEN", "[::1]:7601");
        jail.set_env("HUBSHIFT_T_CONFIG", "left to the command line");
        let path = file(jail, "[limits]\nwait = \"9s\"\nrate = 7\n");
        let config: Config = load(DEFAULTS, Some(&path), "HUBSHIFT_T_").unwrap();
        assert_eq!(config.limits.wait, Duration::from_millis(250));
        assert_eq!(config.limits.rate, 7);
        assert_eq!(config.listen, "[::1]:7601");
        assert_eq!(config.database_url, "postgres://default");
        Ok(())
    });
}

#[test]
fn database_url_beats_everything_and_is_ignored_where_there_is_no_such_key() {
    Jail::expect_with(|jail| {
        jail.clear_env();
        jail.set_env("DATABASE_URL", "postgres://env");
        jail.set_env("HUBSHIFT_T_DATABASE_URL", "postgres://prefixed");
        let config: Config = load(DEFAULTS, None, "HUBSHIFT_T_").unwrap();
        assert_eq!(config.database_url, "postgres://env");
        let small: NoDatabase = load("listen = \"x\"", None, "HUBSHIFT_U_").unwrap();
        assert_eq!(small.listen, "x");
        Ok(())
    });
}

#[test]
fn an_unknown_key_is_refused_with_its_file_and_the_known_keys() {
    let message = refused("[limits]\nwiat = \"9s\"\n", &[]);
    assert!(message.contains("limits.wiat: unknown key"), "{message}");
    assert!(message.contains("wait, rate"), "{message}");
    assert!(message.contains("service.toml"), "{message}");
}

#[test]
fn an_unknown_variable_is_refused_by_name() {
    let message = refused("", &[("HUBSHIFT_T_LIMITS__WIAT", "9s")]);
    assert!(message.contains("HUBSHIFT_T_LIMITS__WIAT"), "{message}");
}

#[test]
fn a_wrong_value_is_named_but_not_shown() {
    let message = refused("[limits]\nrate = \"s3cret\"\n", &[]);
    assert!(
        message.contains("limits.rate: expected u32, found a string"),
        "{message}"
    );
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn broken_toml_names_line_and_file_but_does_not_quote_it() {
    let message = refused("a = 1\npassword = \"s3cret\n", &[]);
    assert!(message.contains("line 2"), "{message}");
    assert!(!message.contains("s3cret"), "{message}");
}

#[test]
fn spans_of_no_length_are_refused_all_at_once() {
    let some = Duration::from_millis(1);
    let spans = [("a", Duration::ZERO), ("b", some), ("c.d", Duration::ZERO)];
    let message = refuse_zero(&spans).unwrap_err().to_string();
    let lines: Vec<_> = message.lines().skip(1).collect();
    let expected = [
        "  - a: expected more than nothing",
        "  - c.d: expected more than nothing",
    ];
    assert_eq!(lines, expected);
    assert!(refuse_zero(&[("b", some)]).is_ok());
}

#[test]
fn a_missing_file_is_an_error_of_its_own() {
    let missing = Path::new("/nonexistent/service.toml");
    let error = load::<Config>(DEFAULTS, Some(missing), "HUBSHIFT_T_").unwrap_err();
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().contains("/nonexistent/service.toml"));
}
