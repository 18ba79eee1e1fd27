//! The key that a delivery must show.

use axum::extract::Query;
use axum::http::{HeaderMap, Uri};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// The header that carries it: an Event Grid subscription can be given static headers.
const HEADER: &str = "x-hubshift-key";
/// The query parameter that carries it, for subscriptions without headers.
const PARAMETER: &str = "key";

/// The key, as a digest: comparing digests takes the same time for every wrong key.
#[derive(Clone)]
pub(crate) struct DeliveryKey([u8; 32]);

impl DeliveryKey {
    pub(crate) fn new(key: &SecretString) -> Self {
        Self(digest(key.expose_secret()))
    }

    /// Whether a request shows it. A parameter is taken as it is, and as a program writes one that
    /// escapes what it must.
    pub(crate) fn is_shown(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        if let Some(header) = headers.get(HEADER).and_then(|value| value.to_str().ok()) {
            return self.is(header);
        }
        let pairs = uri.query().unwrap_or_default().split('&');
        let plain = pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == PARAMETER);
        let escaped = Query::<Vec<(String, String)>>::try_from_uri(uri).unwrap_or_default();
        let escaped = escaped.iter().find(|(name, _)| name == PARAMETER);
        plain.is_some_and(|(_, value)| self.is(value))
            || escaped.is_some_and(|(_, value)| self.is(value))
    }

    fn is(&self, shown: &str) -> bool {
        digest(shown) == self.0
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_taken_from_header_or_parameter_and_nothing_else_opens() {
        let key = DeliveryKey::new(&SecretString::from("s3cret"));
        let shown = |header: Option<&str>, uri: &str| {
            let mut headers = HeaderMap::new();
            if let Some(header) = header {
                headers.insert(HEADER, header.parse().unwrap());
            }
            key.is_shown(&headers, &uri.parse().unwrap())
        };
        assert!(shown(Some("s3cret"), "/x"));
        assert!(shown(None, "/x?a=b&key=s3cret"));
        assert!(!shown(None, "/x"));
        assert!(!shown(Some("other"), "/x?key=s3cret"));
        assert!(!shown(Some(""), "/x?key="));
    }

    #[test]
    fn a_key_that_a_program_escapes_is_the_key() {
        let key = DeliveryKey::new(&SecretString::from("a+b/c="));
        let shown = |uri: &str| key.is_shown(&HeaderMap::new(), &uri.parse().unwrap());
        assert!(shown("/x?key=a+b/c="));
        assert!(shown("/x?key=a%2Bb%2Fc%3D"));
        assert!(!shown("/x?key=a%2Bb"));
        assert!(!shown("/x?key=%ff"));
    }
}
