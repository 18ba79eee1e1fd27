//! Whose signatures a device believes.

use std::sync::Arc;

use hubshift_domain::route::{KeySet, KeySetError, PublicKey, RouteClaims, RouteError};
use serde::Deserialize;

/// Whose signatures a device believes. Cheap to clone: devices of one process share the keys.
#[derive(Debug, Clone)]
pub struct Trust(Kind);

#[derive(Debug, Clone)]
enum Kind {
    /// Exactly these keys.
    Keys(Arc<KeySet>),
    /// Every key set that the recovery key signed; the newest one is held.
    Recovery {
        key: PublicKey,
        held: Option<Arc<KeySet>>,
    },
    /// This very route, which a gateway verified for all of its devices.
    Seen(Signed),
}

/// A route that is believed, and its signed text. Cheap to clone: a gateway's devices share it.
#[derive(Debug, Clone)]
pub(super) struct Signed {
    pub(super) jws: Arc<str>,
    pub(super) route: Arc<RouteClaims>,
}

/// Why a key set document is refused.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// This device believes pinned keys alone.
    #[error("only the pinned keys are believed")]
    Pinned,
    /// Not a key set document.
    #[error("not a key set document")]
    Malformed(#[source] serde_json::Error),
    /// The document is not signed at all.
    #[error("the key set is not signed by a recovery key")]
    Unsigned,
    /// The signed set is refused.
    #[error("the signed key set is refused")]
    Refused(#[source] KeySetError),
}

#[derive(Deserialize)]
struct Document {
    signed: Option<String>,
}

impl Trust {
    /// Believes exactly these keys.
    pub fn keys(keys: KeySet) -> Self {
        Self(Kind::Keys(Arc::new(keys)))
    }

    /// Believes what this recovery key signed.
    pub fn recovery(key: PublicKey) -> Self {
        Self(Kind::Recovery { key, held: None })
    }

    /// Believes one route, which is verified already.
    pub(super) fn seen(token: &str, route: Arc<RouteClaims>) -> Self {
        let jws = token.into();
        Self(Kind::Seen(Signed { jws, route }))
    }

    /// Verifies a signed route.
    pub(super) fn verify(&self, token: &str) -> Result<Signed, RouteError> {
        let route = match &self.0 {
            Kind::Keys(keys) => keys.verify(token),
            Kind::Recovery {
                held: Some(keys), ..
            } => keys.verify(token),
            Kind::Recovery { held: None, .. } => KeySet::default().verify(token),
            Kind::Seen(seen) if *seen.jws == *token => return Ok(seen.clone()),
            Kind::Seen(_) => Err(RouteError::Signature),
        };
        Ok(Signed {
            jws: token.into(),
            route: Arc::new(route?),
        })
    }

    /// Whether a new key set could be taken.
    pub(super) fn can_learn(&self) -> bool {
        matches!(self.0, Kind::Recovery { .. })
    }

    /// Takes a key set document as a concierge serves it. Returns the signed set, to be kept.
    pub(super) fn learn(&mut self, document: &[u8]) -> Result<String, TrustError> {
        let document: Document = serde_json::from_slice(document).map_err(TrustError::Malformed)?;
        let token = document.signed.ok_or(TrustError::Unsigned)?;
        self.learn_signed(&token)?;
        Ok(token)
    }

    /// Takes a signed key set.
    pub(super) fn learn_signed(&mut self, token: &str) -> Result<(), TrustError> {
        let Kind::Recovery { key, held } = &mut self.0 else {
            return Err(TrustError::Pinned);
        };
        let set = KeySet::from_signed(token, key, held.as_deref()).map_err(TrustError::Refused)?;
        *held = Some(Arc::new(set));
        Ok(())
    }
}
