//! What authorises a request to a hub: a provider of tokens, whichever way they are come by.
//!
//! Durable: nothing; a token of Entra ID is kept in memory until shortly before its end.
//!
//! Keeps true: no token is waited for longer than the call may take, and when there is none the
//! hub was certainly not asked. A token of a shared access policy ends with the call; one of
//! Entra ID does not, see [`TokenProvider::outlives_call`].

mod authority;
mod cache;
mod entra;
mod sas;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use hubshift_azure::{ConnectionString, EntraLogin, HubConnection, Secret};
use tokio::time::Instant;

pub(crate) use entra::EntraTokens;

use crate::outcome::{HubError, Rejection};
use crate::setup::HubSetupError;
use sas::SasTokens;

/// What the data plane of every hub takes tokens for.
const HUB_SCOPE: &str = "https://iothubs.azure.net/.default";

/// Gives what authorises requests.
#[async_trait]
pub trait TokenProvider: Send + Sync + fmt::Debug {
    /// The value of a request's `Authorization` header.
    async fn authorization(&self, request: TokenRequest<'_>) -> Result<Secret, AuthError>;

    /// The other side did not accept what was given. Who keeps tokens gets a new one.
    fn refused(&self) {}

    /// Whether what is given stays good after [`TokenRequest::expiry`]. Then a request that was
    /// given up may still be carried out later, if something on the way kept it.
    fn outlives_call(&self) -> bool;
}

/// What a token is needed for.
#[derive(Clone, Copy, Debug)]
pub struct TokenRequest<'a> {
    /// The host that is asked, with its port where that is not 443.
    pub host: &'a str,
    /// When the call is over: no token has to be good for longer.
    pub expiry: SystemTime,
    /// The same moment by the clock that waits: a token that comes later is of no use.
    pub deadline: Instant,
}

/// Why there is no token. No text has a secret in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Who gives the tokens refused.
    #[error("no token is given: {0}")]
    Refused(String),
    /// What is to be shown for a token cannot be read.
    #[error("there is nothing to show for a token: {0}")]
    NoCredential(String),
    /// Who gives the tokens cannot be reached or does not answer.
    #[error("who gives the tokens cannot be reached: {0}")]
    Unreachable(String),
    /// Who gives the tokens shows a certificate that nobody vouches for.
    #[error("who gives the tokens: {0}")]
    Untrusted(String),
    /// No token can be made of the settings.
    #[error("no token can be made: {0}")]
    Unusable(String),
}

/// How a hub is entered. `Debug` shows no key.
#[derive(Clone, Debug)]
pub enum Login {
    /// With a shared access policy.
    Sas {
        /// The policy's name.
        policy: String,
        /// The policy's key, base64.
        key: Secret,
    },
    /// With tokens of Entra ID.
    Entra(EntraLogin),
    /// With tokens that come from elsewhere.
    Provider(Arc<dyn TokenProvider>),
}

impl From<&ConnectionString> for Login {
    fn from(connection: &ConnectionString) -> Self {
        Self::Sas {
            policy: connection.policy.clone(),
            key: connection.key.clone(),
        }
    }
}

impl From<&HubConnection> for Login {
    fn from(connection: &HubConnection) -> Self {
        match connection {
            HubConnection::Sas(connection) => connection.into(),
            HubConnection::Entra(connection) => Self::Entra(connection.login.clone()),
        }
    }
}

impl From<AuthError> for HubError {
    fn from(error: AuthError) -> Self {
        let text = error.to_string();
        let rejection = match error {
            AuthError::Refused(_) | AuthError::NoCredential(_) => Rejection::Unauthorized(text),
            AuthError::Unreachable(_) => Rejection::Unreachable(text),
            AuthError::Untrusted(_) => Rejection::Untrusted(text),
            AuthError::Unusable(_) => Rejection::Invalid(text),
        };
        rejection.into()
    }
}

/// The provider of a login. It trusts the same certificates as the way to the hub does.
pub(crate) fn provider(
    login: Login,
    ca_pem: Option<&str>,
    call_deadline: Duration,
) -> Result<Arc<dyn TokenProvider>, HubSetupError> {
    let provider: Arc<dyn TokenProvider> = match login {
        Login::Sas { policy, key } => Arc::new(SasTokens::new(policy, key)?),
        Login::Entra(login) => {
            let scope = HUB_SCOPE.to_owned();
            Arc::new(EntraTokens::new(login, scope, ca_pem, call_deadline)?)
        }
        Login::Provider(provider) => provider,
    };
    Ok(provider)
}
