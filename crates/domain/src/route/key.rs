//! Ed25519 keys: the private one that signs, the public one that verifies, and their names.
//!
//! A key's id is its RFC 7638 thumbprint, so that nobody has to choose one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::SealKey;

/// Why a key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The PEM text holds no Ed25519 private key in PKCS #8.
    #[error("not an Ed25519 private key in PKCS #8 PEM")]
    Private,
    /// The text or number is no Ed25519 public key, or a weak one.
    #[error("not a usable Ed25519 public key")]
    Public,
}

/// Signs. Never printed.
#[derive(Clone)]
pub struct PrivateKey {
    key: SigningKey,
    id: String,
}

impl PrivateKey {
    /// From 32 random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self::new(SigningKey::from_bytes(seed))
    }

    /// From a PKCS #8 PEM text.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        SigningKey::from_pkcs8_pem(pem)
            .map(Self::new)
            .map_err(|_| KeyError::Private)
    }

    fn new(key: SigningKey) -> Self {
        let id = PublicKey(key.verifying_key()).id();
        Self { key, id }
    }

    /// As a PKCS #8 PEM text: a secret.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self
            .key
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| KeyError::Private)?;
        Ok(pem.to_string())
    }

    /// The key's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// A secret of its own for what the key's holder keeps for itself; `purpose` keeps seals of
    /// different things apart.
    pub fn seal_key(&self, purpose: &str) -> SealKey {
        SealKey::derive(self.key.as_bytes(), purpose)
    }

    pub(super) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// From the base64url text (without padding) of its 32 bytes, as `x` in a JWK.
    pub fn from_base64(text: &str) -> Result<Self, KeyError> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| KeyError::Public)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::Public)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::Public)?;
        Self::strong(key)
    }

    /// From a SubjectPublicKeyInfo PEM text (`openssl pkey -pubout`).
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_public_key_pem(pem).map_err(|_| KeyError::Public)?;
        Self::strong(key)
    }

    /// A weak key would verify signatures that nobody made.
    fn strong(key: VerifyingKey) -> Result<Self, KeyError> {
        if key.is_weak() {
            Err(KeyError::Public)
        } else {
            Ok(Self(key))
        }
    }

    /// As a SubjectPublicKeyInfo PEM text.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        self.0
            .to_public_key_pem(LineEnding::LF)
            .map_err(|_| KeyError::Public)
    }

    /// As base64url without padding.
    pub fn to_base64(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.as_bytes())
    }

    /// The RFC 7638 thumbprint.
    pub fn id(&self) -> String {
        let canonical = format!(
            r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#,
            self.to_base64()
        );
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_pem_and_base64() {
        let private = PrivateKey::from_seed(&[7; 32]);
        let again = PrivateKey::from_pem(&private.to_pem().unwrap()).unwrap();
        assert_eq!(again.public(), private.public());
        let public = private.public();
        assert_eq!(PublicKey::from_base64(&public.to_base64()), Ok(public));
        assert_eq!(PublicKey::from_pem(&public.to_pem().unwrap()), Ok(public));
        assert_eq!(private.id(), public.id());
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_id_is_the_thumbprint_of_the_standard() {
        let key = PublicKey::from_base64("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(key.id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }

    #[test]
    fn a_private_key_is_not_printed() {
        let private = PrivateKey::from_seed(&[7; 32]);
        let secret = URL_SAFE_NO_PAD.encode([7; 32]);
        assert!(!format!("{private:?}").contains(&secret));
        assert!(!format!("{private:?}").contains("7, 7"));
    }

    #[test]
    fn weak_keys_are_refused() {
        let identity = URL_SAFE_NO_PAD.encode([[1u8].as_slice(), &[0; 31]].concat());
        assert_eq!(PublicKey::from_base64(&identity), Err(KeyError::Public));
    }
}
