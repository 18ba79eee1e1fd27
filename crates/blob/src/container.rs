//! The container: what callers do with it.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hubshift_azure::{Secret, path};
use reqwest::{Method, StatusCode};
use uuid::Uuid;

use crate::address::Address;
use crate::error::{ContainerError, Permission, ProbeError};
use crate::lines::BlobLines;
use crate::reader::BlobReader;
use crate::store::{Call, Store};
use crate::writer::BlobWriter;

/// The largest blob that is read whole.
const MAX_WHOLE: usize = 64 * 1024 * 1024;

/// A blob container. `Debug` shows host, account and container, never the SAS.
#[derive(Clone)]
pub struct Container {
    store: Arc<Store>,
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Container")
            .field(&self.store.address.shown())
            .finish()
    }
}

impl Container {
    /// Reads a SAS URI. Nothing is sent.
    pub fn open(sas_uri: &Secret) -> Result<Self, ContainerError> {
        let store = Store::new(Address::parse(sas_uri)?)?;
        let store = Arc::new(store);
        Ok(Self { store })
    }

    /// Whether the container can be used: see [`Container::probe`].
    pub async fn check(&self) -> Result<(), ContainerError> {
        self.probe().await.map_err(|found| found.error)
    }

    /// Tries everything that a job does: writes a blob of its own name, lists, reads and deletes
    /// it. Nothing is sent if the SAS says itself that it does not allow one of them.
    pub async fn probe(&self) -> Result<(), ProbeError> {
        if let Some(step) = self.store.address.lacking() {
            let error = ContainerError::Denied;
            return Err(ProbeError { step, error });
        }
        let name = format!("hubshift-probe-{}", Uuid::new_v4().simple());
        let body = Bytes::from_static(b"probe");
        self.put(&name, body).await.map_err(at(Permission::Write))?;
        let looked = self.look(&name).await;
        // It is removed whatever was found.
        let deleted = self.delete(&name).await.map_err(at(Permission::Delete));
        looked.and(deleted)
    }

    async fn look(&self, name: &str) -> Result<(), ProbeError> {
        self.list(name).await.map_err(at(Permission::List))?;
        let found = self.get(name).await.and_then(|found| {
            let gone = || ContainerError::Failed("a blob that was written is not there".to_owned());
            found.ok_or_else(gone)
        });
        found.map(|_| ()).map_err(at(Permission::Read))
    }

    /// Writes a whole blob.
    pub async fn put(&self, name: &str, body: Bytes) -> Result<(), ContainerError> {
        self.store.put(name, body).await
    }

    /// Begins a blob that is written line by line. Nothing is sent yet.
    pub async fn writer(&self, name: &str) -> BlobWriter {
        BlobWriter::new(Arc::clone(&self.store), name)
    }

    /// Reads a whole blob, up to 64 MB. Nothing if it is not there.
    pub async fn get(&self, name: &str) -> Result<Option<Bytes>, ContainerError> {
        let Some(mut reader) = BlobReader::open(&self.store, name).await? else {
            return Ok(None);
        };
        let mut whole = Vec::new();
        while let Some(piece) = reader.next().await? {
            if whole.len() + piece.len() > MAX_WHOLE {
                return Err(ContainerError::TooLarge);
            }
            whole.extend_from_slice(&piece);
        }
        Ok(Some(Bytes::from(whole)))
    }

    /// Begins to read a blob line by line. Nothing if it is not there.
    pub async fn lines(&self, name: &str) -> Result<Option<BlobLines>, ContainerError> {
        let reader = BlobReader::open(&self.store, name).await?;
        Ok(reader.map(BlobLines::new))
    }

    /// Removes a blob. One that is not there is fine.
    pub async fn delete(&self, name: &str) -> Result<(), ContainerError> {
        let url = self.store.address.blob(name, "")?;
        let reply = self.store.send(&Call::new(Method::DELETE, url)).await?;
        match reply.code() {
            Some("BlobNotFound") if reply.status == StatusCode::NOT_FOUND => Ok(()),
            _ => reply.ok().map(|_| ()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<(), ContainerError> {
        let prefix = path::encode_segment(prefix);
        let operation = format!("restype=container&comp=list&maxresults=1&prefix={prefix}");
        let url = self.store.address.container(&operation);
        let reply = self.store.send(&Call::new(Method::GET, url)).await?;
        reply.ok().map(|_| ())
    }
}

fn at(step: Permission) -> impl FnOnce(ContainerError) -> ProbeError {
    move |error| ProbeError { step, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_where_it_is_and_no_sas() {
        let uri = "https://acct.blob.core.windows.net/box?sp=racwdl&sig=canary";
        let shown = format!("{:?}", Container::open(&Secret::new(uri)).unwrap());
        assert!(shown.contains("acct.blob.core.windows.net/box"), "{shown}");
        assert!(
            !shown.contains("canary") && !shown.contains("sp="),
            "{shown}"
        );
    }

    #[tokio::test]
    async fn a_sas_that_lacks_a_permission_is_refused_by_its_own_words() {
        // Nobody listens there: it must not be asked.
        let uri = Secret::new("http://127.0.0.1:1/account/box?sp=rwl&sig=canary");
        let found = Container::open(&uri).unwrap().probe().await.unwrap_err();
        let expected = ProbeError {
            step: Permission::Delete,
            error: ContainerError::Denied,
        };
        assert_eq!(found, expected);
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_is_unreachable_and_its_url_is_not_told() {
        let uri = Secret::new("http://127.0.0.1:1/account/box?sig=canary");
        let error = Container::open(&uri).unwrap().check().await.unwrap_err();
        let expected = ContainerError::Unreachable("no connection".to_owned());
        assert_eq!(error, expected);
    }
}
