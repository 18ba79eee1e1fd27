//! Tokens of Entra ID: one is kept, and one caller at a time asks for the next.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::{EntraLogin, Secret};
use reqwest::Client;
use tokio::time::{Instant, timeout_at};

use super::authority::Authority;
use super::cache::{Cache, Look, Moment};
use super::{AuthError, TokenProvider, TokenRequest};
use crate::http;
use crate::setup::HubSetupError;

/// The longest that a token is waited for, however long the call may take.
const MAX_WAIT: Duration = Duration::from_secs(20);

/// Tokens for one scope.
pub(crate) struct EntraTokens {
    client: Client,
    authority: Authority,
    cache: Mutex<Cache>,
    /// Held by the one who asks the authority.
    turn: tokio::sync::Mutex<()>,
}

impl EntraTokens {
    /// A provider that has no token yet and asks nobody before one is needed.
    pub(crate) fn new(
        login: EntraLogin,
        scope: String,
        ca_pem: Option<&str>,
        call_deadline: Duration,
    ) -> Result<Self, HubSetupError> {
        Ok(Self {
            client: http::client(ca_pem, call_deadline.min(MAX_WAIT), false)?,
            authority: Authority::new(login, scope)?,
            cache: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self) -> Look {
        self.cache().look(Moment::now())
    }

    /// A token where there is none: whoever comes first asks, the others wait for what it gets.
    async fn first(&self) -> Result<Secret, AuthError> {
        let _turn = self.turn.lock().await;
        match self.look() {
            Look::Use(token) | Look::Renew(Some(token)) => Ok(token),
            Look::Fail(error) => Err(error),
            Look::Renew(None) => self.ask().await,
        }
    }

    /// Asks the authority. Only who has the turn may.
    async fn ask(&self) -> Result<Secret, AuthError> {
        let answer = self.authority.exchange(&self.client).await;
        let now = Moment::now();
        let mut cache = self.cache();
        match answer {
            Ok((token, life)) => {
                cache.granted(token.clone(), life, now);
                Ok(token)
            }
            Err(error) => {
                cache.failed(error.clone(), now);
                Err(error)
            }
        }
    }

    /// A newer token, or the old one: it is still good, so that nothing depends on this.
    async fn renew(&self, old: Secret, until: Instant) -> Secret {
        let Ok(_turn) = self.turn.try_lock() else {
            return old;
        };
        match timeout_at(until, self.ask()).await {
            Ok(Ok(token)) => token,
            Ok(Err(_)) => old,
            Err(_) => {
                self.cache().failed(late(), Moment::now());
                old
            }
        }
    }
}

#[async_trait]
impl TokenProvider for EntraTokens {
    async fn authorization(&self, request: TokenRequest<'_>) -> Result<Secret, AuthError> {
        let until = request.deadline.min(Instant::now() + MAX_WAIT);
        match self.look() {
            Look::Use(token) => Ok(token),
            Look::Fail(error) => Err(error),
            Look::Renew(Some(old)) => Ok(self.renew(old, until).await),
            Look::Renew(None) => match timeout_at(until, self.first()).await {
                Ok(answer) => answer,
                Err(_) => Err(late()),
            },
        }
    }

    fn refused(&self) {
        self.cache().refused(Moment::now());
    }

    fn outlives_call(&self) -> bool {
        true
    }
}

fn late() -> AuthError {
    AuthError::Unreachable("no token came in time".to_owned())
}

impl fmt::Debug for EntraTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntraTokens")
            .field("login", self.authority.login())
            .finish_non_exhaustive()
    }
}
