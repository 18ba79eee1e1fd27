//! Tokens of a shared access policy: made here, for one request each.

use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::{Secret, sas};
use time::OffsetDateTime;

use super::{AuthError, TokenProvider, TokenRequest};
use crate::setup::HubSetupError;

/// A policy's name and key.
#[derive(Debug)]
pub(super) struct SasTokens {
    policy: String,
    key: Secret,
}

impl SasTokens {
    pub(super) fn new(policy: String, key: Secret) -> Result<Self, HubSetupError> {
        key.decode().map_err(|_| HubSetupError::Key)?;
        Ok(Self { policy, key })
    }
}

#[async_trait]
impl TokenProvider for SasTokens {
    /// A token that expires with the call, to the second.
    async fn authorization(&self, request: TokenRequest<'_>) -> Result<Secret, AuthError> {
        let expiry = OffsetDateTime::from(request.expiry + Duration::from_millis(999));
        sas::token(request.host, &self.key, Some(&self.policy), expiry)
            .map_err(|error| AuthError::Unusable(error.to_string()))
    }

    fn outlives_call(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_token_ends_with_the_call() {
        let tokens = SasTokens::new("owner".to_owned(), Secret::new("YQ==")).unwrap();
        let expiry = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_400);
        let request = TokenRequest {
            host: "h",
            expiry,
            deadline: Instant::now(),
        };
        let token = tokens.authorization(request).await.unwrap();
        assert!(
            token.expose().contains("se=1700000001"),
            "{}",
            token.expose()
        );
        assert!(!tokens.outlives_call());
    }

    #[test]
    fn a_key_that_is_none_is_told_at_once() {
        let made = SasTokens::new("owner".to_owned(), Secret::new("no key"));
        assert!(matches!(made, Err(HubSetupError::Key)));
    }
}
