//! Compact JWS (RFC 7515) with Ed25519 (RFC 8037): exactly one form, everything else is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::{PrivateKey, PublicKey, RouteClaims};

/// No signed route is longer, bytes.
pub const MAX_ROUTE_LEN: usize = 8 * 1024;

/// What a route's header says it is.
pub(super) const ROUTE_TYPE: &str = "hubshift-route+jws";
const ALGORITHM: &str = "EdDSA";

/// Why a signed document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Longer than [`MAX_ROUTE_LEN`].
    #[error("is longer than {MAX_ROUTE_LEN} bytes")]
    TooLong,
    /// Not three base64url parts with a header of ours.
    #[error("is not a compact JWS of the expected type")]
    Malformed,
    /// Signed by a key that the key set does not hold.
    #[error("is signed by key `{kid}`, which is not trusted")]
    UnknownKey {
        /// The key's id.
        kid: String,
    },
    /// The signature does not fit the content.
    #[error("has a signature that does not fit")]
    Signature,
    /// The content is signed but of a version that this code does not know.
    #[error("has claims of version {0}")]
    Version(u64),
    /// The content is signed but not what it should be.
    #[error("has claims that are not a route's")]
    Claims,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// Signs a route.
pub fn sign(claims: &RouteClaims, key: &PrivateKey) -> Result<String, RouteError> {
    let payload = serde_json::to_vec(claims).map_err(|_| RouteError::Claims)?;
    let token = encode(ROUTE_TYPE, &payload, key)?;
    if token.len() > MAX_ROUTE_LEN {
        Err(RouteError::TooLong)
    } else {
        Ok(token)
    }
}

/// Signs any payload under a type.
pub(super) fn encode(typ: &str, payload: &[u8], key: &PrivateKey) -> Result<String, RouteError> {
    let header = Header {
        alg: ALGORITHM.into(),
        kid: key.id().to_owned(),
        typ: typ.into(),
    };
    let header = serde_json::to_vec(&header).map_err(|_| RouteError::Malformed)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// Checks type, key and signature; returns the payload.
pub(super) fn verify<'k>(
    typ: &str,
    token: &str,
    key: impl FnOnce(&str) -> Option<&'k PublicKey>,
) -> Result<Vec<u8>, RouteError> {
    let (signed, signature) = token.rsplit_once('.').ok_or(RouteError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(RouteError::Malformed)?;
    let header: Header =
        serde_json::from_slice(&decode(header)?).map_err(|_| RouteError::Malformed)?;
    if header.alg != ALGORITHM || header.typ != typ {
        return Err(RouteError::Malformed);
    }
    let signature: [u8; 64] = decode(signature)?
        .try_into()
        .map_err(|_| RouteError::Malformed)?;
    let Some(key) = key(&header.kid) else {
        return Err(RouteError::UnknownKey { kid: header.kid });
    };
    if !key.verifies(signed.as_bytes(), &signature) {
        return Err(RouteError::Signature);
    }
    decode(payload)
}

/// The payload, not verified.
pub(super) fn payload(token: &str) -> Result<Vec<u8>, RouteError> {
    let mut parts = token.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(payload), Some(_), None) => decode(payload),
        _ => Err(RouteError::Malformed),
    }
}

/// Refuses padding and unused bits that are set: one content has one text.
fn decode(part: &str) -> Result<Vec<u8>, RouteError> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| RouteError::Malformed)
}
