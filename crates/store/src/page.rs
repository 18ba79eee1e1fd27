//! Page tokens: where the next page starts, and which list it belongs to.
//!
//! A token is opaque to callers. One that belongs to another list is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};

/// Why a token was refused.
#[derive(Debug, thiserror::Error)]
#[error("is not a token of this list; start without one")]
pub struct BadToken;

/// Makes the token of the page after `last`. `list` names the list with its filters.
pub fn token(list: &str, last: &impl Serialize) -> String {
    let body = serde_json::to_vec(last).unwrap_or_default();
    let mut bytes = vec![1u8];
    bytes.extend_from_slice(&tag(list));
    bytes.extend_from_slice(&body);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token; an empty one is the first page.
pub fn parse<T: DeserializeOwned>(list: &str, token: &str) -> Result<Option<T>, BadToken> {
    if token.is_empty() {
        return Ok(None);
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let rest = bytes.strip_prefix(&[1u8]).ok_or(BadToken)?;
    let body = rest.strip_prefix(&tag(list)[..]).ok_or(BadToken)?;
    serde_json::from_slice(body).map(Some).map_err(|_| BadToken)
}

fn tag(list: &str) -> [u8; 8] {
    let digest = Sha256::digest(list.as_bytes());
    let mut tag = [0u8; 8];
    tag.copy_from_slice(&digest[..8]);
    tag
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_its_own_list_only() {
        let text = token("devices/acme", &"d-7");
        assert_eq!(
            parse::<String>("devices/acme", &text).unwrap().unwrap(),
            "d-7"
        );
        assert!(parse::<String>("devices/other", &text).is_err());
        assert!(parse::<String>("devices/acme", "%%%").is_err());
        assert!(parse::<String>("devices/acme", "").unwrap().is_none());
    }
}
