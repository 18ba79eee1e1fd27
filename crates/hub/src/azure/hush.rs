//! A hub, or something before it, may repeat in its words what it was sent. Words that may hold a
//! secret are left out of every error.

use hubshift_azure::Secret;

use crate::outcome::{Cause, HubError, Rejection};

/// What stands for such words.
pub(super) const LEFT_OUT: &str = "the hub's words are left out, as they may hold a secret";
/// So many characters of a secret in a row tell something of it.
const TELLING: usize = 8;
/// What a token has in it, in lower case.
const TOKEN: [&str; 3] = ["sig=", "sig%3d", "bearer ey"];

/// Whether a text has a part of one of these secrets in it, or of a token.
///
/// Compared are runs of letters and digits: what stands between them may be written in other ways.
pub(super) fn tells(text: &str, secrets: &[Secret]) -> bool {
    let lower = text.to_ascii_lowercase();
    let is_told = |secret: &Secret| {
        let mut runs = secret.expose().split(|c: char| !c.is_ascii_alphanumeric());
        runs.any(|run| run.len() >= TELLING && text.contains(run))
    };
    TOKEN.iter().any(|mark| lower.contains(mark)) || secrets.iter().any(is_told)
}

/// The error without such words of the hub.
pub(super) fn without(error: HubError, is_telling: impl Fn(&str) -> bool) -> HubError {
    let hush = |text: String| match is_telling(&text) {
        true => LEFT_OUT.to_owned(),
        false => text,
    };
    match error {
        HubError::Rejected(Rejection::Invalid(text)) => Rejection::Invalid(hush(text)).into(),
        HubError::Rejected(Rejection::Unauthorized(text)) => {
            Rejection::Unauthorized(hush(text)).into()
        }
        HubError::Rejected(Rejection::Unavailable(text)) => {
            Rejection::Unavailable(hush(text)).into()
        }
        HubError::Unknown(Cause::ServerError { status, text }) => Cause::ServerError {
            status,
            text: hush(text),
        }
        .into(),
        // Their words are our own, or those of the connection.
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_key_tells_and_other_words_do_not() {
        let keys = [Secret::new("abcdefgh+ijklmnop/q="), Secret::new("c2hvcnQ=")];
        for text in [
            "no: abcdefgh\\u002Bijklmnop",
            "...ijklmnop",
            "SharedAccessSignature sr=h&sig=x",
            "Bearer eyJ0",
        ] {
            assert!(tells(text, &keys), "{text}");
        }
        for text in ["", "abcdefg", "ErrorCode:ArgumentInvalid;id"] {
            assert!(!tells(text, &keys), "{text}");
        }
    }

    #[test]
    fn every_kind_of_error_loses_its_words() {
        let words = || "canary".to_owned();
        let errors = [
            HubError::from(Rejection::Invalid(words())),
            Rejection::Unauthorized(words()).into(),
            Rejection::Unavailable(words()).into(),
            Cause::ServerError {
                status: 500,
                text: words(),
            }
            .into(),
        ];
        for error in errors {
            assert!(
                without(error.clone(), |_| false)
                    .to_string()
                    .contains("canary")
            );
            let hushed = without(error, |_| true).to_string();
            assert!(hushed.contains(LEFT_OUT), "{hushed}");
        }
    }
}
