//! How a device proves who it is: the `authentication` object of a device.

use serde::Serialize;

use crate::fields::{FieldError, Fields, deserialize_by_fields};
use crate::secret::Secret;
use crate::wire_enum::wire_enum;

wire_enum! {
    /// The kind of proof.
    pub enum AuthType {
        /// A token signed with a symmetric key.
        Sas = "sas",
        /// A client certificate recognised by its thumbprint.
        SelfSigned = "selfSigned",
        /// A client certificate signed by an authority that the hub trusts.
        CertificateAuthority = "certificateAuthority",
        /// Nothing. The hub allows it for system modules only.
        None = "none",
    }
}

/// Both symmetric keys. `null` on the wire where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SymmetricKey {
    /// The first key, base64 of 16 to 64 bytes.
    pub primary_key: Option<Secret>,
    /// The second key, base64 of 16 to 64 bytes.
    pub secondary_key: Option<Secret>,
}

/// Both certificate thumbprints. `null` on the wire where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct X509Thumbprint {
    /// The first thumbprint: hexadecimal, no separators, case preserved.
    pub primary_thumbprint: Option<String>,
    /// The second thumbprint.
    pub secondary_thumbprint: Option<String>,
}

/// The `authentication` object. A hub that gets none on an update makes new keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// The symmetric keys, for [`AuthType::Sas`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symmetric_key: Option<SymmetricKey>,
    /// The thumbprints, for [`AuthType::SelfSigned`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509_thumbprint: Option<X509Thumbprint>,
    /// The kind. Where the JSON has none: thumbprints mean self-signed, anything else SAS.
    #[serde(rename = "type")]
    pub kind: AuthType,
}

impl SymmetricKey {
    fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            primary_key: fields.secret("primaryKey")?,
            secondary_key: fields.secret("secondaryKey")?,
        })
    }
}

impl X509Thumbprint {
    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        Ok(Self {
            primary_thumbprint: fields.filled("primaryThumbprint")?,
            secondary_thumbprint: fields.filled("secondaryThumbprint")?,
        })
    }

    fn is_empty(&self) -> bool {
        self.primary_thumbprint.is_none() && self.secondary_thumbprint.is_none()
    }
}

impl Authentication {
    /// Symmetric keys, both given.
    pub fn sas(primary: Secret, secondary: Secret) -> Self {
        let keys = SymmetricKey {
            primary_key: Some(primary),
            secondary_key: Some(secondary),
        };
        Self {
            symmetric_key: Some(keys),
            x509_thumbprint: None,
            kind: AuthType::Sas,
        }
    }

    /// Certificates by thumbprint.
    pub fn self_signed(primary: String, secondary: Option<String>) -> Self {
        let prints = X509Thumbprint {
            primary_thumbprint: Some(primary),
            secondary_thumbprint: secondary,
        };
        Self {
            symmetric_key: None,
            x509_thumbprint: Some(prints),
            kind: AuthType::SelfSigned,
        }
    }

    /// Certificates by authority.
    pub fn certificate_authority() -> Self {
        let kind = AuthType::CertificateAuthority;
        Self {
            symmetric_key: None,
            x509_thumbprint: None,
            kind,
        }
    }

    /// Both keys, if both are there.
    pub fn keys(&self) -> Option<(&Secret, &Secret)> {
        let keys = self.symmetric_key.as_ref()?;
        keys.primary_key.as_ref().zip(keys.secondary_key.as_ref())
    }

    pub(crate) fn read(mut fields: Fields) -> Result<Self, FieldError> {
        let symmetric_key = fields.nested("symmetricKey", SymmetricKey::read)?;
        let x509_thumbprint = fields.nested("x509Thumbprint", X509Thumbprint::read)?;
        let has_prints = x509_thumbprint
            .as_ref()
            .is_some_and(|prints| !prints.is_empty());
        let implied = if has_prints {
            AuthType::SelfSigned
        } else {
            AuthType::Sas
        };
        let kind = fields.choice("type")?.unwrap_or(implied);
        Ok(Self {
            symmetric_key,
            x509_thumbprint,
            kind,
        })
    }
}

deserialize_by_fields!(Authentication);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_keys_are_no_keys() {
        let read = Authentication::from_value(
            json!({"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}),
        );
        assert_eq!(read.unwrap().keys(), None);
    }

    #[test]
    fn the_kind_is_implied_by_thumbprints() {
        let read =
            Authentication::from_value(json!({"x509Thumbprint": {"PrimaryThumbprint": "AB"}}));
        assert_eq!(read.unwrap().kind, AuthType::SelfSigned);
        assert_eq!(
            Authentication::from_value(json!({})).unwrap().kind,
            AuthType::Sas
        );
    }

    #[test]
    fn an_unknown_kind_is_refused_without_showing_it() {
        let found = Authentication::from_value(json!({"type": "canary"}))
            .unwrap_err()
            .to_string();
        assert!(found.contains("type must be one of sas"), "{found}");
        assert!(!found.contains("canary"), "{found}");
    }

    #[test]
    fn debug_and_errors_show_no_key() {
        let read = Authentication::sas(Secret::new("canary1"), Secret::new("canary2"));
        assert!(!format!("{read:?}").contains("canary"));
    }
}
