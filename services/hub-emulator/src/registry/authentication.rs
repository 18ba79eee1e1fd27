//! What the hub stores as an identity's authentication: both objects always there, keys made
//! where they are missing.

use hubshift_azure::{
    AuthType, Authentication, ErrorCode, PolicyKey, Secret, SymmetricKey, Violation, X509Thumbprint,
};

use crate::answer::Refusal;

/// A device's: none is refused.
pub(super) fn of_device(given: Option<Authentication>) -> Result<Authentication, Refusal> {
    let Some(given) = given else { return sas(None) };
    Violation::check_authentication(&given)?;
    match given.kind {
        AuthType::Sas => sas(given.symmetric_key),
        AuthType::SelfSigned => Ok(Authentication {
            symmetric_key: Some(SymmetricKey::default()),
            ..given
        }),
        AuthType::CertificateAuthority | AuthType::None => Ok(without_secrets(given.kind)),
    }
}

/// A module's: none becomes keys.
pub(super) fn of_module(given: Option<Authentication>) -> Result<Authentication, Refusal> {
    of_device(given.map(|given| match given.kind {
        AuthType::None => Authentication {
            kind: AuthType::Sas,
            ..given
        },
        _ => given,
    }))
}

/// That of the modules that the hub makes for Edge devices.
pub(super) fn of_system_module() -> Authentication {
    without_secrets(AuthType::None)
}

/// Both keys with those made anew that are named. Not for an identity without keys.
pub(super) fn rotated(old: &Authentication, which: PolicyKey) -> Result<(Secret, Secret), Refusal> {
    let (primary, secondary) = old.keys().ok_or_else(|| {
        let words = "the identity has no symmetric keys";
        Refusal::new(ErrorCode::InvalidOperation, words)
    })?;
    Ok(match which {
        PolicyKey::Primary => (Secret::generate()?, secondary.clone()),
        PolicyKey::Secondary => (primary.clone(), Secret::generate()?),
        PolicyKey::Both => (Secret::generate()?, Secret::generate()?),
    })
}

fn sas(keys: Option<SymmetricKey>) -> Result<Authentication, Refusal> {
    let keys = keys.unwrap_or_default();
    let (primary, secondary) = match (keys.primary_key, keys.secondary_key) {
        (Some(primary), Some(secondary)) => (primary, secondary),
        _ => (Secret::generate()?, Secret::generate()?),
    };
    Ok(with_keys(primary, secondary))
}

/// That of an identity with these keys.
pub(super) fn with_keys(primary: Secret, secondary: Secret) -> Authentication {
    Authentication {
        x509_thumbprint: Some(X509Thumbprint::default()),
        ..Authentication::sas(primary, secondary)
    }
}

fn without_secrets(kind: AuthType) -> Authentication {
    Authentication {
        symmetric_key: Some(SymmetricKey::default()),
        x509_thumbprint: Some(X509Thumbprint::default()),
        kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none() -> Option<Authentication> {
        Some(without_secrets(AuthType::None))
    }

    #[test]
    fn none_is_refused_for_devices_and_becomes_keys_for_modules() {
        assert!(of_device(none()).is_err());
        let module = of_module(none()).unwrap();
        assert_eq!(module.kind, AuthType::Sas);
        assert!(module.keys().is_some());
    }

    #[test]
    fn a_rotation_changes_what_it_names_and_nothing_else() {
        let old = sas(None).unwrap();
        let (primary, secondary) = old.keys().unwrap();
        let (new_primary, same) = rotated(&old, PolicyKey::Primary).unwrap();
        assert_ne!(new_primary, *primary);
        assert_eq!(same, *secondary);
        let (same, new_secondary) = rotated(&old, PolicyKey::Secondary).unwrap();
        assert_eq!(same, *primary);
        assert_ne!(new_secondary, *secondary);
        let (one, two) = rotated(&old, PolicyKey::Both).unwrap();
        assert!(one != *primary && two != *secondary);
    }

    #[test]
    fn without_keys_there_is_no_rotation() {
        let refusal = rotated(&of_system_module(), PolicyKey::Both).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::InvalidOperation);
    }
}
