//! One exchange with Entra ID: what proves who we are, for a token.

use std::time::Duration;

use hubshift_azure::{EntraCredential, EntraLogin, Secret, origin, path};
use reqwest::header::ACCEPT;
use reqwest::{Client, StatusCode};
use serde::Deserialize;

use super::AuthError;
use crate::http::Failure;
use crate::setup::HubSetupError;

/// What a token of a federated platform is called in an exchange.
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Where and for what tokens are asked for.
pub(super) struct Authority {
    url: String,
    login: EntraLogin,
    scope: String,
}

/// What the authority grants.
#[derive(Deserialize)]
struct Granted {
    access_token: Secret,
    expires_in: u64,
}

/// What it says when it does not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Denied {
    error: String,
    error_description: String,
}

impl Authority {
    pub(super) fn new(login: EntraLogin, scope: String) -> Result<Self, HubSetupError> {
        let base = origin(&login.authority).ok_or(HubSetupError::Authority)?;
        let tenant = path::encode_segment(&login.tenant);
        Ok(Self {
            url: format!("{base}/{tenant}/oauth2/v2.0/token"),
            login,
            scope,
        })
    }

    /// Who asks whom, for messages.
    pub(super) fn login(&self) -> &EntraLogin {
        &self.login
    }

    /// A new token, as the header carries it, and how long it is good.
    pub(super) async fn exchange(&self, client: &Client) -> Result<(Secret, Duration), AuthError> {
        let form = self.form().await?;
        let request = client
            .post(&self.url)
            .header(ACCEPT, "application/json")
            .form(&form);
        let response = request.send().await.map_err(|error| unreached(&error))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| unreached(&error))?;
        if status.is_success() {
            granted(&body)
        } else {
            Err(denied(status, &body))
        }
    }

    async fn form(&self) -> Result<Vec<(&'static str, String)>, AuthError> {
        let mut form = vec![
            ("grant_type", "client_credentials".to_owned()),
            ("client_id", self.login.client_id.clone()),
            ("scope", self.scope.clone()),
        ];
        match &self.login.credential {
            EntraCredential::ClientSecret(secret) => {
                form.push(("client_secret", secret.expose().to_owned()));
            }
            EntraCredential::WorkloadIdentity { token_file } => {
                let token = tokio::fs::read_to_string(token_file).await;
                let token = token.map_err(|error| {
                    let kind = error.kind();
                    AuthError::NoCredential(format!("the federated token's file: {kind}"))
                })?;
                form.push(("client_assertion_type", JWT_BEARER.to_owned()));
                form.push(("client_assertion", token.trim().to_owned()));
            }
        }
        Ok(form)
    }
}

fn granted(body: &[u8]) -> Result<(Secret, Duration), AuthError> {
    // A parser's words may quote what it read.
    let Ok(granted) = serde_json::from_slice::<Granted>(body) else {
        return Err(AuthError::Unreachable("its answer is no token".to_owned()));
    };
    let bearer = Secret::new(format!("Bearer {}", granted.access_token.expose()));
    Ok((bearer, Duration::from_secs(granted.expires_in)))
}

/// 4xx is a refusal, except where it asks to try again.
fn denied(status: StatusCode, body: &[u8]) -> AuthError {
    let is_refusal = status.is_client_error()
        && !matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
        );
    if is_refusal {
        AuthError::Refused(words(status, body))
    } else {
        AuthError::Unreachable(format!("it answered with status {}", status.as_u16()))
    }
}

/// The names of the error. Of free text nothing is kept: it may repeat what was sent.
fn words(status: StatusCode, body: &[u8]) -> String {
    let said: Denied = serde_json::from_slice(body).unwrap_or_default();
    let is_name = |text: &str| {
        (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
    };
    let name = if is_name(&said.error) {
        said.error
    } else {
        format!("status {}", status.as_u16())
    };
    let is_code = |word: &&str| {
        word.strip_prefix("AADSTS")
            .is_some_and(|n| (1..=10).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let mut words = said
        .error_description
        .split(|c: char| !c.is_ascii_alphanumeric());
    match words.find(is_code) {
        Some(code) => format!("{name} ({code})"),
        None => name,
    }
}

fn unreached(error: &reqwest::Error) -> AuthError {
    match Failure::from(error) {
        Failure::Untrusted(reason) => AuthError::Untrusted(reason),
        Failure::Unbuilt => AuthError::Unusable("the request cannot be built".to_owned()),
        Failure::Unreachable(reason) | Failure::Broken(reason) => AuthError::Unreachable(reason),
        Failure::Timeout => AuthError::Unreachable("no answer in time".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(body: &str) -> AuthError {
        denied(StatusCode::UNAUTHORIZED, body.as_bytes())
    }

    #[test]
    fn a_refusal_is_named_and_nothing_else_is_repeated() {
        let body = r#"{"error":"invalid_client",
            "error_description":"AADSTS7000215: Invalid client secret 'canary' provided."}"#;
        let expected = AuthError::Refused("invalid_client (AADSTS7000215)".to_owned());
        assert_eq!(refused(body), expected);
        let bare = AuthError::Refused("status 401".to_owned());
        assert_eq!(refused("<html>canary</html>"), bare);
        assert_eq!(refused(r#"{"error":"Canary~1"}"#), bare);
    }

    #[test]
    fn only_a_refusal_is_a_refusal() {
        for status in [408, 429, 500, 503] {
            let status = StatusCode::from_u16(status).unwrap();
            assert!(matches!(denied(status, b""), AuthError::Unreachable(_)));
        }
    }

    #[test]
    fn a_grant_becomes_a_header() {
        let body = br#"{"token_type":"Bearer","expires_in":3599,"access_token":"ey"}"#;
        let (token, life) = granted(body).unwrap();
        assert_eq!(token.expose(), "Bearer ey");
        assert_eq!(life, Duration::from_secs(3599));
    }

    #[test]
    fn an_answer_that_is_no_grant_is_not_repeated() {
        let error = granted(br#"{"access_token":"canary"}"#).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("canary"));
    }
}
