//! Bearer tokens: those that the stand-in for Entra issued, and those that a file names.
//!
//! Tokens are random text. They are kept in memory only, so that a restarted hub knows none that
//! it issued before.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hubshift_azure::{NoRandomness, Secret};
use time::{Duration, OffsetDateTime};

use super::Role;
use crate::options::EntraOptions;
use crate::start_error::StartError;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// The hub's data.
    Hub,
    /// Azure's resource manager.
    Management,
}

/// An application that gets tokens.
struct Client {
    id: String,
    secret: Secret,
    role: Role,
}

/// A token that was issued.
struct Grant {
    role: Role,
    audience: Audience,
    expiry: OffsetDateTime,
}

/// All applications and tokens that are known.
pub(crate) struct Bearers {
    clients: Vec<Client>,
    given: Vec<(Role, Secret)>,
    issued: Mutex<HashMap<String, Grant>>,
    lifetime: Duration,
}

/// What an application shows to get a token.
pub(crate) enum Proof<'a> {
    /// Its secret.
    Secret(&'a str),
    /// A signed assertion. That it was signed by whom the application trusts is not checked.
    Assertion(&'a str),
}

/// Why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoToken {
    UnknownClient,
    WrongProof,
    NoRandomness,
}

impl Audience {
    /// The audience of a scope of the client credentials flow. `own` is the host that stands in
    /// for the resource manager.
    pub(crate) fn of_scope(scope: &str, own: Option<&str>) -> Option<Self> {
        let resource = scope.strip_suffix("/.default")?.trim_end_matches('/');
        match resource.strip_prefix("https://")? {
            "iothubs.azure.net" => Some(Self::Hub),
            "management.azure.com" => Some(Self::Management),
            host if own.is_some_and(|own| own.eq_ignore_ascii_case(host)) => Some(Self::Management),
            _ => None,
        }
    }
}

impl Bearers {
    pub(crate) fn new(options: &EntraOptions) -> Result<Self, StartError> {
        let clients = options.clients.iter().map(client);
        let given = match &options.bearer_file {
            Some(path) => given(path)?,
            None => Vec::new(),
        };
        Ok(Self {
            clients: clients.collect::<Result<_, _>>()?,
            given,
            issued: Mutex::default(),
            lifetime: Duration::seconds(i64::from(options.token_lifetime)),
        })
    }

    /// Issues a token, and says for how many seconds it is good.
    pub(crate) fn issue(
        &self,
        id: &str,
        proof: &Proof<'_>,
        audience: Audience,
        now: OffsetDateTime,
    ) -> Result<(Secret, i64), NoToken> {
        let is_it = |client: &&Client| client.id.eq_ignore_ascii_case(id);
        let client = self
            .clients
            .iter()
            .find(is_it)
            .ok_or(NoToken::UnknownClient)?;
        if !client.is_proved_by(proof) {
            return Err(NoToken::WrongProof);
        }
        let token = Secret::generate().map_err(|NoRandomness| NoToken::NoRandomness)?;
        let grant = Grant {
            role: client.role,
            audience,
            expiry: now + self.lifetime,
        };
        let mut issued = self.issued();
        issued.retain(|_, grant| now < grant.expiry);
        issued.insert(token.expose().to_owned(), grant);
        Ok((token, self.lifetime.whole_seconds()))
    }

    /// The role that a token gives with an audience now.
    pub(crate) fn role(
        &self,
        token: &str,
        audience: Audience,
        now: OffsetDateTime,
    ) -> Option<Role> {
        let is_it = |(_, given): &&(Role, Secret)| given.expose() == token;
        if let Some((role, _)) = self.given.iter().find(is_it) {
            return Some(*role);
        }
        let issued = self.issued();
        let grant = issued.get(token)?;
        (grant.audience == audience && now < grant.expiry).then_some(grant.role)
    }

    fn issued(&self) -> MutexGuard<'_, HashMap<String, Grant>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    fn is_proved_by(&self, proof: &Proof<'_>) -> bool {
        match proof {
            Proof::Secret(secret) => self.secret.expose() == *secret,
            Proof::Assertion(assertion) => !assertion.is_empty(),
        }
    }
}

/// The token of a bearer's `Authorization` header; nothing if it is of another kind.
pub(crate) fn token(header: &str) -> Option<&str> {
    let (scheme, token) = header.trim().split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

fn client(text: &Secret) -> Result<Client, StartError> {
    let wrong = || StartError::Bearer("a client must be CLIENT_ID:SECRET:ROLE".to_owned());
    let (id, rest) = text.expose().trim().split_once(':').ok_or_else(wrong)?;
    let (secret, role) = rest.rsplit_once(':').ok_or_else(wrong)?;
    if id.is_empty() || secret.is_empty() {
        return Err(wrong());
    }
    Ok(Client {
        id: id.to_owned(),
        secret: Secret::new(secret),
        role: Role::find(role).ok_or_else(unknown_role)?,
    })
}

fn given(path: &Path) -> Result<Vec<(Role, Secret)>, StartError> {
    let wrong = || StartError::Bearer("a bearer token must be ROLE:TOKEN".to_owned());
    let lines = super::lines(path, "the bearer file cannot be read")?;
    let given = lines.iter().map(|line| {
        let (role, token) = line.expose().split_once(':').ok_or_else(wrong)?;
        let role = Role::find(role).ok_or_else(unknown_role)?;
        match token.trim() {
            "" => Err(wrong()),
            token => Ok((role, Secret::new(token))),
        }
    });
    given.collect()
}

/// Does not say which: it may be a misplaced secret.
fn unknown_role() -> StartError {
    let roles =
        "data-contributor, data-reader, registry-contributor, twin-contributor, contributor";
    StartError::Bearer(format!("a role must be one of {roles}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearers(clients: &[&str]) -> Result<Bearers, StartError> {
        Bearers::new(&EntraOptions {
            clients: clients.iter().map(|text| Secret::new(*text)).collect(),
            ..EntraOptions::default()
        })
    }

    fn issue(bearers: &Bearers, id: &str, proof: &Proof<'_>) -> Result<Secret, NoToken> {
        let now = OffsetDateTime::UNIX_EPOCH;
        let issued = bearers.issue(id, proof, Audience::Hub, now);
        issued.map(|(token, _)| token)
    }

    #[test]
    fn a_token_is_good_for_its_audience_until_it_expires() {
        let bearers = bearers(&["app:s:e:cret:data-reader"]).unwrap();
        let token = issue(&bearers, "APP", &Proof::Secret("s:e:cret")).unwrap();
        let role = |audience, seconds| {
            let now = OffsetDateTime::UNIX_EPOCH + Duration::seconds(seconds);
            bearers.role(token.expose(), audience, now)
        };
        assert_eq!(role(Audience::Hub, 3598), Some(Role::DataReader));
        assert_eq!(role(Audience::Hub, 3599), None);
        assert_eq!(role(Audience::Management, 0), None);
        assert_eq!(
            bearers.role("other", Audience::Hub, OffsetDateTime::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn who_cannot_prove_gets_none() {
        let bearers = bearers(&["app:secret:contributor"]).unwrap();
        let tried = |id, proof| issue(&bearers, id, &proof).err();
        assert_eq!(
            tried("other", Proof::Secret("secret")),
            Some(NoToken::UnknownClient)
        );
        assert_eq!(
            tried("app", Proof::Secret("guess")),
            Some(NoToken::WrongProof)
        );
        assert_eq!(
            tried("app", Proof::Assertion("")),
            Some(NoToken::WrongProof)
        );
        assert_eq!(tried("app", Proof::Assertion("e30.e30.")), None);
    }

    #[test]
    fn a_file_names_tokens_that_never_expire() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "# for tests\nIoT Hub Twin Contributor:eyJ0.e30.x\n";
        std::fs::write(file.path(), text).unwrap();
        let bearers = Bearers::new(&EntraOptions {
            bearer_file: Some(file.path().to_owned()),
            ..EntraOptions::default()
        })
        .unwrap();
        let late = OffsetDateTime::UNIX_EPOCH + Duration::weeks(5_000);
        let role = bearers.role("eyJ0.e30.x", Audience::Hub, late);
        assert_eq!(role, Some(Role::TwinContributor));
    }

    #[test]
    fn mistakes_are_told_without_the_secret() {
        for text in [
            "canary",
            "app:canary",
            "app:x:canary",
            ":canary:data-reader",
        ] {
            let error = bearers(&[text]).err().unwrap();
            assert!(!error.to_string().contains("canary"), "{error}");
            assert_eq!(error.exit_code(), 64);
        }
    }

    #[test]
    fn azures_scopes_are_known_and_the_stand_ins_own() {
        let of = |scope: &str| Audience::of_scope(scope, Some("127.0.0.1:9444"));
        assert_eq!(
            of("https://iothubs.azure.net/.default"),
            Some(Audience::Hub)
        );
        for resource in ["https://management.azure.com/", "https://127.0.0.1:9444"] {
            let scope = format!("{resource}/.default");
            assert_eq!(of(&scope), Some(Audience::Management));
        }
        assert_eq!(of("https://management.azure.com"), None);
        assert_eq!(of("https://127.0.0.1:1/.default"), None);
        assert_eq!(of("https://graph.microsoft.com/.default"), None);
    }

    #[test]
    fn the_scheme_is_read_in_any_case() {
        assert_eq!(token("bearer  abc "), Some("abc"));
        assert_eq!(token("SharedAccessSignature sr=x"), None);
        assert_eq!(token("Bearer"), None);
    }
}
