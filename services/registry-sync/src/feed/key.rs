//! The key that a delivery must show.

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

    /// Whether a request shows it.
    pub(crate) fn is_shown(&self, headers: &HeaderMap, uri: &Uri) -> bool {
        let header = headers.get(HEADER).and_then(|value| value.to_str().ok());
        let pairs = uri.query().unwrap_or_default().split('&');
        let parameter = pairs
            .filter_map(|pair| pair.split_once('='))
            .find(|(name, _)| *name == PARAMETER)
            .map(|(_, value)| value);
        let shown = header.or(parameter);
        shown.is_some_and(|shown| digest(shown) == self.0)
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
}
