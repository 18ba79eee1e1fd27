//! Where a container is and what opens it, read from a SAS URI.
//!
//! Two forms: `https://ACCOUNT.blob.core.windows.net/CONTAINER?SAS`, and with the account in the
//! path, as Azurite has it: `http://127.0.0.1:10000/ACCOUNT/CONTAINER?SAS`. A URI without a SAS
//! is taken too: whether such a container can be used is the service's to say.

use hubshift_azure::Secret;
use reqwest::Url;

use crate::error::{ContainerError, Permission};

/// The longest name that a blob may have.
const MAX_NAME: usize = 1024;

/// A container's address. The SAS is kept apart, as it came: nothing in it is decoded.
pub(crate) struct Address {
    container: Url,
    sas: Secret,
}

impl Address {
    pub(crate) fn parse(uri: &Secret) -> Result<Self, ContainerError> {
        let mut url =
            Url::parse(uri.expose().trim()).map_err(|_| ContainerError::Uri("it is not a URL"))?;
        check(&url).map_err(ContainerError::Uri)?;
        let sas = Secret::new(url.query().unwrap_or_default());
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        let container = url;
        Ok(Self { container, sas })
    }

    /// Host, account and container, without the SAS.
    pub(crate) fn shown(&self) -> &str {
        self.container.as_str()
    }

    /// The first permission that the SAS itself says it does not give. Nothing if it does not
    /// list them (a stored access policy does), or if there is no SAS.
    pub(crate) fn lacking(&self) -> Option<Permission> {
        let pairs = self.sas.expose().split('&');
        let allowed = pairs.filter_map(|pair| pair.strip_prefix("sp=")).next()?;
        let is_missing = |needed: &Permission| !allowed.contains(needed.letter());
        Permission::ALL.into_iter().find(is_missing)
    }

    /// The URL of an operation on the container. Has the SAS in it.
    pub(crate) fn container(&self, operation: &str) -> Url {
        self.signed(self.container.clone(), operation)
    }

    /// The URL of an operation on a blob. Has the SAS in it.
    pub(crate) fn blob(&self, name: &str, operation: &str) -> Result<Url, ContainerError> {
        let is_addressable = |part: &str| !matches!(part, "" | "." | "..");
        if name.len() > MAX_NAME || !name.split('/').all(is_addressable) {
            let text = "a blob's name is empty, too long or no path".to_owned();
            return Err(ContainerError::Failed(text));
        }
        let mut url = self.container.clone();
        // It cannot fail: a URL with a host has a path.
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(name.split('/'));
        }
        Ok(self.signed(url, operation))
    }

    fn signed(&self, mut url: Url, operation: &str) -> Url {
        let parts = [operation, self.sas.expose()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let query = parts.join("&");
        url.set_query((!query.is_empty()).then_some(query.as_str()));
        url
    }
}

/// What is wrong with it as a container's URI.
fn check(url: &Url) -> Result<(), &'static str> {
    // The blob hosts of all of Azure's clouds have this in their names.
    let is_azure = url.host_str().is_some_and(|host| host.contains(".blob."));
    match url.scheme() {
        "https" => {}
        "http" if !is_azure => {}
        "http" => return Err("Azure's hosts are called over https"),
        _ => return Err("it does not begin with https://"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it has a user name or a password");
    }
    let path = url.path().trim_end_matches('/');
    let names: Vec<&str> = path.split('/').skip(1).collect();
    let most = if is_azure { 1 } else { 2 };
    let is_container = (1..=most).contains(&names.len()) && !names.contains(&"");
    if is_container {
        Ok(())
    } else {
        Err("its path does not name a container and nothing else")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AZURE: &str =
        "https://acct.blob.core.windows.net/box?sv=2024-11-04&sp=racwdl&sig=ca%2Fna+ry%3D";
    const AZURITE: &str = "http://127.0.0.1:10000/devstoreaccount1/box/?sp=rwl&sig=canary";

    fn parse(uri: &str) -> Result<Address, ContainerError> {
        Address::parse(&Secret::new(uri))
    }

    #[test]
    fn both_forms_are_read_and_the_sas_is_sent_as_it_came() {
        let azure = parse(AZURE).unwrap();
        assert_eq!(azure.shown(), "https://acct.blob.core.windows.net/box");
        let expected = "https://acct.blob.core.windows.net/box/devices.txt?comp=block&sv=2024-11-04&sp=racwdl&sig=ca%2Fna+ry%3D";
        let url = azure.blob("devices.txt", "comp=block").unwrap();
        assert_eq!(url.as_str(), expected);

        let azurite = parse(AZURITE).unwrap();
        assert_eq!(
            azurite.shown(),
            "http://127.0.0.1:10000/devstoreaccount1/box"
        );
        let url = azurite.blob("a b/ü?#", "").unwrap();
        let path = "/devstoreaccount1/box/a%20b/%C3%BC%3F%23";
        assert_eq!((url.path(), url.query()), (path, Some("sp=rwl&sig=canary")));
        let url = azurite.container("restype=container");
        assert_eq!(url.query(), Some("restype=container&sp=rwl&sig=canary"));
    }

    #[test]
    fn a_uri_without_a_sas_is_taken() {
        let address = parse("http://127.0.0.1:10000/account/box").unwrap();
        assert_eq!(address.blob("b", "").unwrap().query(), None);
        assert_eq!(address.lacking(), None);
    }

    #[test]
    fn what_is_no_container_is_refused_without_being_shown() {
        for uri in [
            "canary",
            "file:///canary/box",
            "http://acct.blob.core.windows.net/box?sig=canary",
            "https://canary:canary@acct.blob.core.windows.net/box",
            "https://acct.blob.core.windows.net/?sig=canary",
            "https://acct.blob.core.windows.net/box/blob?sig=canary",
            "http://127.0.0.1:10000/account/box/blob?sig=canary",
            "http://127.0.0.1:10000//box?sig=canary",
        ] {
            let error = parse(uri).err().unwrap();
            assert!(matches!(error, ContainerError::Uri(_)), "{uri}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }

    #[test]
    fn a_blobs_name_stays_inside_the_container() {
        let address = parse(AZURITE).unwrap();
        for name in ["", "..", "a/../b", "/a", "a/", "."] {
            assert!(address.blob(name, "").is_err(), "{name:?}");
        }
        assert!(address.blob(&"n".repeat(MAX_NAME + 1), "").is_err());
    }

    #[test]
    fn the_sas_itself_says_what_it_lacks() {
        assert_eq!(parse(AZURE).unwrap().lacking(), None);
        assert_eq!(parse(AZURITE).unwrap().lacking(), Some(Permission::Delete));
        let stored_policy = "https://acct.blob.core.windows.net/box?si=policy&sig=canary";
        assert_eq!(parse(stored_policy).unwrap().lacking(), None);
    }
}
