//! Entra's token endpoint: the client credentials flow, and no other.

use axum::body::Body;
use http::{Response, StatusCode};
use hubshift_azure::path;
use serde_json::json as object;
use time::OffsetDateTime;

use super::answer::json;
use crate::access::{Audience, Bearers, NoToken, Proof};

const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The fields of a form.
struct Form(Vec<(String, String)>);

/// Why there is no token: OAuth's name for it, and Entra's words.
type Error = (StatusCode, &'static str, &'static str);

/// Answers a request for a token. `host` is the name by which the stand-in was asked: who takes it
/// for the resource manager asks for tokens for that.
pub(super) fn issue(
    bearers: &Bearers,
    body: &[u8],
    host: Option<&str>,
    now: OffsetDateTime,
) -> Response<Body> {
    match try_issue(bearers, body, host, now) {
        Ok((token, seconds)) => json(&object!({
            "token_type": "Bearer",
            "expires_in": seconds,
            "ext_expires_in": seconds,
            "access_token": token,
        })),
        Err((status, error, words)) => {
            let mut response = json(&object!({"error": error, "error_description": words}));
            *response.status_mut() = status;
            response
        }
    }
}

fn try_issue(
    bearers: &Bearers,
    body: &[u8],
    host: Option<&str>,
    now: OffsetDateTime,
) -> Result<(String, i64), Error> {
    let form = Form::read(body);
    if form.get("grant_type") != Some("client_credentials") {
        return Err(bad("unsupported_grant_type", "only client_credentials"));
    }
    let id = form
        .get("client_id")
        .ok_or_else(|| bad("invalid_request", "client_id is missing"))?;
    let proof = proof(&form)?;
    let audience = form
        .get("scope")
        .and_then(|scope| Audience::of_scope(scope, host))
        .ok_or_else(|| bad("invalid_scope", "the scope is not known"))?;
    let (token, seconds) = bearers
        .issue(id, &proof, audience, now)
        .map_err(of_no_token)?;
    Ok((token.expose().to_owned(), seconds))
}

fn proof(form: &Form) -> Result<Proof<'_>, Error> {
    match (form.get("client_secret"), form.get("client_assertion")) {
        (Some(secret), None) => Ok(Proof::Secret(secret)),
        (None, Some(assertion)) if form.get("client_assertion_type") == Some(ASSERTION_TYPE) => {
            Ok(Proof::Assertion(assertion))
        }
        (None, Some(_)) => Err(bad("invalid_request", "the client_assertion_type is wrong")),
        _ => {
            let words = "either client_secret or client_assertion is needed";
            Err(bad("invalid_request", words))
        }
    }
}

fn bad(error: &'static str, words: &'static str) -> Error {
    (StatusCode::BAD_REQUEST, error, words)
}

fn of_no_token(reason: NoToken) -> Error {
    match reason {
        NoToken::UnknownClient => bad("unauthorized_client", "there is no such client"),
        NoToken::WrongProof => {
            let words = "the client's secret or assertion is wrong";
            (StatusCode::UNAUTHORIZED, "invalid_client", words)
        }
        NoToken::NoRandomness => {
            let words = "no token can be made";
            (StatusCode::INTERNAL_SERVER_ERROR, "server_error", words)
        }
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`. What is not UTF-8 is left out.
    fn read(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Self(
            pairs
                .filter_map(|(name, value)| Some((decode(name)?, decode(value)?)))
                .collect(),
        )
    }

    /// A field that has a value.
    fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name)?;
        Some(found.1.as_str()).filter(|value| !value.is_empty())
    }
}

/// In a form a plus is a space.
fn decode(text: &str) -> Option<String> {
    path::decode_segment(&text.replace('+', " "))
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Secret;

    use super::*;
    use crate::options::EntraOptions;

    const SCOPE: &str = "scope=https%3A%2F%2Fiothubs.azure.net%2F.default";

    fn asked(form: &str) -> Result<i64, (u16, &'static str)> {
        let bearers = Bearers::new(&EntraOptions {
            clients: vec![Secret::new("app:s+1 :data-reader")],
            ..EntraOptions::default()
        })
        .unwrap();
        let now = OffsetDateTime::UNIX_EPOCH;
        let issued = try_issue(&bearers, form.as_bytes(), None, now);
        issued
            .map(|(_, seconds)| seconds)
            .map_err(|(status, error, _)| (status.as_u16(), error))
    }

    #[test]
    fn a_secret_or_an_assertion_is_proof() {
        let form = format!("grant_type=client_credentials&client_id=app&{SCOPE}");
        assert_eq!(asked(&format!("{form}&client_secret=s%2B1+")), Ok(3599));
        let kind = path::encode_segment(ASSERTION_TYPE);
        let with =
            |assertion| format!("{form}&client_assertion_type={kind}&client_assertion={assertion}");
        assert_eq!(asked(&with("e30.e30.x")), Ok(3599));
        assert_eq!(asked(&with("")), Err((400, "invalid_request")));
        let wrong = asked(&format!("{form}&client_secret=s+1+"));
        assert_eq!(wrong, Err((401, "invalid_client")));
        assert_eq!(asked(&form), Err((400, "invalid_request")));
    }

    #[test]
    fn other_flows_clients_and_scopes_are_refused_by_oauths_names() {
        let rest = format!("client_secret=s%2B1+&{SCOPE}");
        let password = asked(&format!("grant_type=password&client_id=app&{rest}"));
        assert_eq!(password, Err((400, "unsupported_grant_type")));
        let flow = "grant_type=client_credentials";
        let other = asked(&format!("{flow}&client_id=other&{rest}"));
        assert_eq!(other, Err((400, "unauthorized_client")));
        let scope = asked(&format!(
            "{flow}&client_id=app&client_secret=s&scope=openid"
        ));
        assert_eq!(scope, Err((400, "invalid_scope")));
    }
}
