//! The credentials that a caller gives or asks for.

use hubshift_api::enums;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::types;
use hubshift_api::validate::Checks;
use hubshift_azure::Violation;
use hubshift_domain::identity::CredentialKind;
use hubshift_hub::{Credentials, Secret};

use crate::backup::line::authentication;

/// Credentials that a caller gives, or asks to be made. `Debug` shows no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// These.
    Given(Credentials),
    /// Two new symmetric keys.
    NewKeys,
}

pub(super) fn kind(checks: &mut Checks, device: &pb::Device) -> Option<CredentialKind> {
    let field = "device.credential_kind";
    match types::CredentialKind::try_from(device.credential_kind) {
        Ok(types::CredentialKind::Unspecified) => None,
        Ok(types::CredentialKind::None) => {
            checks.violation(field, "no hub takes a device that can't prove who it is");
            None
        }
        Ok(kind) => enums::from_credential_kind(kind),
        Err(_) => {
            checks.violation(field, "is not a kind that this version knows");
            None
        }
    }
}

pub(super) fn given_kind(given: &pb::DeviceCredentials) -> Option<CredentialKind> {
    enums::from_credential_kind(given.kind())
}

pub(super) fn made(checks: &mut Checks, kind: CredentialKind) -> Option<Wish> {
    match kind {
        CredentialKind::Sas => Some(Wish::NewKeys),
        CredentialKind::Ca => Some(Wish::Given(Credentials::Ca)),
        CredentialKind::SelfSigned | CredentialKind::None => {
            checks.violation(
                "credentials",
                "must name the thumbprint of a self-signed device",
            );
            None
        }
    }
}

/// `kind` is what the device says; the credentials may say the same or nothing.
pub(super) fn check(
    checks: &mut Checks,
    given: &pb::DeviceCredentials,
    kind: CredentialKind,
) -> Option<Wish> {
    if given.kind != 0 && given_kind(given) != Some(kind) {
        checks.violation(
            "credentials.kind",
            format!("is not `{kind}`, as the device says"),
        );
        return None;
    }
    let has_keys = !given.primary_key.is_empty() || !given.secondary_key.is_empty();
    let has_prints = !given.primary_thumbprint.is_empty() || !given.secondary_thumbprint.is_empty();
    let wish = match kind {
        CredentialKind::Sas if has_keys && !has_prints => Wish::Given(Credentials::Sas {
            primary: Secret::new(given.primary_key.as_str()),
            secondary: Secret::new(given.secondary_key.as_str()),
        }),
        CredentialKind::SelfSigned if !has_keys => Wish::Given(Credentials::SelfSigned {
            primary_thumbprint: given.primary_thumbprint.clone(),
            secondary_thumbprint: Some(given.secondary_thumbprint.clone())
                .filter(|text| !text.is_empty()),
        }),
        CredentialKind::Sas | CredentialKind::Ca if !has_keys && !has_prints => {
            return made(checks, kind);
        }
        _ => {
            checks.violation(
                "credentials",
                format!("has secrets that `{kind}` does not use"),
            );
            return None;
        }
    };
    if let Wish::Given(credentials) = &wish
        && let Err(found) = Violation::check_authentication(&authentication(credentials))
    {
        checks.violation("credentials", found.to_string());
        return None;
    }
    Some(wish)
}
