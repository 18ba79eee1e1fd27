//! What a container's SAS allows, read from its own text: nothing is sent.

use hubshift_azure::Secret;
use serde::Serialize;

/// What import and export jobs need, by the letters of a SAS.
const NEEDED: [(char, &str); 5] = [
    ('r', "read"),
    ('w', "write"),
    ('d', "delete"),
    ('l', "list"),
    ('c', "create"),
];

/// What a SAS says of itself. Never carries its signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StorageAccess {
    /// Permissions that jobs need and it does not have.
    pub lacks: Vec<&'static str>,
    /// When it ends, as it says.
    pub ends: Option<String>,
    /// Whether it is a SAS at all.
    pub is_sas: bool,
}

/// Reads a container's SAS URI.
pub fn storage_access(uri: &Secret) -> StorageAccess {
    let parameter = |name: &str| {
        let (_, query) = uri.expose().split_once('?')?;
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let allowed = parameter("sp").unwrap_or_default();
    let lacking = NEEDED
        .iter()
        .filter(|(letter, _)| !allowed.contains(*letter));
    StorageAccess {
        lacks: lacking.map(|(_, name)| *name).collect(),
        ends: parameter("se").map(|ends| ends.replace("%3A", ":").replace("%3a", ":")),
        is_sas: parameter("sig").is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_delete_is_named_and_the_signature_is_not() {
        let uri = Secret::new(
            "https://acme.blob.core.windows.net/jobs?sv=2022&sp=racwl&se=2027-01-01T00%3A00%3A00Z&sig=Y2FuYXJ5",
        );
        let access = storage_access(&uri);
        assert_eq!(access.lacks, ["delete"]);
        assert_eq!(access.ends.as_deref(), Some("2027-01-01T00:00:00Z"));
        assert!(!format!("{access:?}").contains("Y2FuYXJ5"));
        assert!(!storage_access(&Secret::new("https://acme/jobs")).is_sas);
    }
}
