//! Shared access signatures: tokens that services and devices sign with their keys.
//!
//! A token is checked over its `sr` text exactly as it stands there, still encoded: clients
//! differ in what they encode, and only the text that was signed gives the signature.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use time::{Duration, OffsetDateTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::path;
use crate::secret::Secret;

/// How far a hub lets the client's clock be ahead or a token be late.
pub const CLOCK_SKEW: Duration = Duration::minutes(5);

const SCHEME: &str = "SharedAccessSignature ";

/// Why a token is not made or not accepted. Carries no part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SasError {
    /// The key is not base64.
    #[error("the key is not base64")]
    InvalidKey,
    /// The header is not `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]`.
    #[error("the token is malformed")]
    Malformed,
    /// The token's time is over.
    #[error("the token has expired")]
    Expired,
    /// Another key signed it.
    #[error("the signature does not match")]
    WrongSignature,
}

/// Signs a token for `resource` (a host, or `host/devices/id`) that expires at `expiry`.
///
/// `policy` names the shared access policy; devices sign with their own key and name none.
pub fn token(
    resource: &str,
    key: &Secret,
    policy: Option<&str>,
    expiry: OffsetDateTime,
) -> Result<Secret, SasError> {
    let resource = path::encode_segment(resource);
    let expiry = expiry.unix_timestamp();
    let signature = STANDARD.encode(
        keyed(key, &resource, &expiry.to_string())?
            .finalize()
            .into_bytes(),
    );
    let signature = path::encode_segment(&signature);
    let mut token = format!("{SCHEME}sr={resource}&sig={signature}&se={expiry}");
    if let Some(policy) = policy {
        token.push_str("&skn=");
        token.push_str(&path::encode_segment(policy));
    }
    Ok(Secret::new(token))
}

/// The resource that a device signs for.
pub fn device_resource(host: &str, device_id: &str) -> String {
    format!("{host}/devices/{device_id}")
}

/// A token as it came, not yet believed.
#[derive(Clone)]
pub struct Token {
    raw_resource: String,
    raw_expiry: String,
    expiry: i64,
    signature: Vec<u8>,
    policy: Option<String>,
}

impl Token {
    /// Reads an `Authorization` header. The fields may come in any order.
    pub fn parse(header: &str) -> Result<Self, SasError> {
        let rest = header
            .trim()
            .strip_prefix(SCHEME)
            .ok_or(SasError::Malformed)?;
        let (mut resource, mut signature, mut expiry, mut policy) = (None, None, None, None);
        for field in rest.trim().split('&') {
            let (name, value) = field.split_once('=').ok_or(SasError::Malformed)?;
            let slot = match name {
                "sr" => &mut resource,
                "sig" => &mut signature,
                "se" => &mut expiry,
                "skn" => &mut policy,
                _ => return Err(SasError::Malformed),
            };
            if slot.replace(value).is_some() {
                return Err(SasError::Malformed);
            }
        }
        let raw_expiry = expiry.ok_or(SasError::Malformed)?.to_owned();
        Ok(Self {
            raw_resource: resource.ok_or(SasError::Malformed)?.to_owned(),
            expiry: raw_expiry.parse().map_err(|_| SasError::Malformed)?,
            raw_expiry,
            signature: decode_signature(signature.ok_or(SasError::Malformed)?)?,
            policy: policy
                .map(decode)
                .transpose()?
                .filter(|name| !name.is_empty()),
        })
    }

    /// The policy that the token names, if any.
    pub fn policy(&self) -> Option<&str> {
        self.policy.as_deref()
    }

    /// The resource, decoded once: host first, then path segments. Nothing if it is not UTF-8.
    pub fn segments(&self) -> Option<Vec<String>> {
        let decoded = path::decode_segment(&self.raw_resource)?;
        Some(
            decoded
                .trim_end_matches('/')
                .split('/')
                .map(str::to_owned)
                .collect(),
        )
    }

    /// Whether the token is for one of `hosts` (any case) and a segment prefix of `path`.
    pub fn covers(&self, hosts: &[String], path: &[&str]) -> bool {
        let Some(segments) = self.segments() else {
            return false;
        };
        let Some((host, rest)) = segments.split_first() else {
            return false;
        };
        hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
            && rest.len() <= path.len()
            && rest.iter().zip(path).all(|(ours, theirs)| ours == theirs)
    }

    /// Checks signature and time.
    pub fn verify(&self, key: &Secret, now: OffsetDateTime) -> Result<(), SasError> {
        keyed(key, &self.raw_resource, &self.raw_expiry)?
            .verify_slice(&self.signature)
            .map_err(|_| SasError::WrongSignature)?;
        let late = now - CLOCK_SKEW;
        if self.expiry < late.unix_timestamp() {
            Err(SasError::Expired)
        } else {
            Ok(())
        }
    }
}

/// The signature is decoded once and a plus stays a plus: some clients leave `/` as it is.
fn decode_signature(text: &str) -> Result<Vec<u8>, SasError> {
    STANDARD
        .decode(decode(text)?)
        .map_err(|_| SasError::Malformed)
}

fn decode(text: &str) -> Result<String, SasError> {
    path::decode_segment(text).ok_or(SasError::Malformed)
}

fn keyed(key: &Secret, resource: &str, expiry: &str) -> Result<Hmac<Sha256>, SasError> {
    let key = key.decode().map_err(|_| SasError::InvalidKey)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).map_err(|_| SasError::InvalidKey)?;
    mac.update(resource.as_bytes());
    mac.update(b"\n");
    mac.update(expiry.as_bytes());
    Ok(mac)
}

#[cfg(test)]
mod tests;
