//! The object stores that hold backups, one per region. Every object is put to each of them.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutOptions, PutPayload};

/// Why a store can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoresError {
    /// No store is configured.
    #[error("no backup store is configured; add one per region under `backup_stores`")]
    NoStore,
    /// Two stores have the same name.
    #[error("two backup stores are named `{0}`")]
    SameName(String),
    /// The URL is of a kind that this build does not know.
    #[error("backup store `{name}`: `{url}` is not a URL like file:///var/lib/hubshift/east")]
    Url {
        /// Which store.
        name: String,
        /// As it was configured.
        url: String,
    },
    /// Its folder can't be made.
    #[error("backup store `{name}`: folder {} can't be used", folder.display())]
    Folder {
        /// Which store.
        name: String,
        /// Its folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Why an object could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObjectError {
    /// It is not there.
    #[error("{0} is missing")]
    Missing(String),
    /// The store does not answer as it should.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
}

/// One store.
#[derive(Clone)]
pub(crate) struct Store {
    /// Its name in the configuration, the region's.
    pub(crate) name: String,
    objects: Arc<dyn ObjectStore>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// All of them, in the configuration's order. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Stores(Vec<Store>);

impl Stores {
    /// Opens the stores `(name, url)`.
    pub(crate) fn open<'a>(
        configured: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, StoresError> {
        let mut stores: Vec<Store> = Vec::new();
        for (name, url) in configured {
            if stores.iter().any(|store| store.name == name) {
                return Err(StoresError::SameName(name.to_owned()));
            }
            stores.push(Store {
                name: name.to_owned(),
                objects: open(name, url)?,
            });
        }
        match stores.is_empty() {
            true => Err(StoresError::NoStore),
            false => Ok(Self(stores)),
        }
    }

    /// Each store.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Store> {
        self.0.iter()
    }

    /// The store of this name, if it is still configured.
    pub(crate) fn find(&self, name: &str) -> Option<&Store> {
        self.0.iter().find(|store| store.name == name)
    }

    /// Their names.
    pub(crate) fn names(&self) -> Vec<String> {
        self.0.iter().map(|store| store.name.clone()).collect()
    }

    /// Puts an object to every store; it is there whole, or not at all.
    pub(crate) async fn put(&self, path: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let puts = self.0.iter().map(|store| store.put(path, bytes.clone()));
        futures::future::try_join_all(puts).await?;
        Ok(())
    }
}

impl Store {
    async fn put(&self, path: &str, bytes: Bytes) -> Result<(), ObjectError> {
        let (location, payload) = (Path::from(path), PutPayload::from_bytes(bytes));
        let put = self
            .objects
            .put_opts(&location, payload, PutOptions::default())
            .await;
        put.map(|_| ()).map_err(|error| self.error(path, error))
    }

    /// Reads an object.
    pub(crate) async fn get(&self, path: &str) -> Result<Bytes, ObjectError> {
        let got = self
            .objects
            .get_opts(&Path::from(path), GetOptions::default())
            .await;
        let got = got.map_err(|error| self.error(path, error))?;
        got.bytes().await.map_err(|error| self.error(path, error))
    }

    fn error(&self, path: &str, error: object_store::Error) -> ObjectError {
        match error {
            object_store::Error::NotFound { .. } => ObjectError::Missing(path.to_owned()),
            error => {
                let cause = &error as &dyn std::error::Error;
                tracing::warn!(store = self.name, path, cause, "backup store failed");
                ObjectError::Unavailable(error.to_string())
            }
        }
    }
}

/// Folders for now; the buckets of clouds join here, by their own URLs.
fn open(name: &str, url: &str) -> Result<Arc<dyn ObjectStore>, StoresError> {
    let bad = || StoresError::Url {
        name: name.to_owned(),
        url: url.to_owned(),
    };
    let folder = url.strip_prefix("file://").ok_or_else(bad)?;
    if !folder.starts_with('/') {
        return Err(bad());
    }
    let folder = PathBuf::from(folder);
    let failed = |source| StoresError::Folder {
        name: name.to_owned(),
        folder: folder.clone(),
        source,
    };
    std::fs::create_dir_all(&folder).map_err(failed)?;
    let store = LocalFileSystem::new_with_prefix(&folder)
        .map_err(|error| failed(std::io::Error::other(error)))?;
    Ok(Arc::new(store.with_fsync(true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_object_is_in_every_store_and_a_missing_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let url = |name: &str| format!("file://{}/{name}", folder.path().display());
        let (east, west) = (url("east"), url("west"));
        let stores = Stores::open([("east", east.as_str()), ("west", west.as_str())]).unwrap();
        stores
            .put("fleets/acme/x", Bytes::from_static(b"body"))
            .await
            .unwrap();
        for store in stores.iter() {
            assert_eq!(
                store.get("fleets/acme/x").await.unwrap(),
                "body",
                "{}",
                store.name
            );
            let missing = store.get("fleets/acme/y").await.unwrap_err();
            assert_eq!(missing.to_string(), "fleets/acme/y is missing");
        }
        assert_eq!(stores.names(), ["east", "west"]);
    }

    #[test]
    fn a_wrong_configuration_is_refused_in_words() {
        assert!(matches!(Stores::open([]), Err(StoresError::NoStore)));
        let refused = Stores::open([("east", "s3://bucket")])
            .unwrap_err()
            .to_string();
        assert!(refused.contains("s3://bucket"), "{refused}");
        let folder = tempfile::tempdir().unwrap();
        let url = format!("file://{}", folder.path().display());
        let twice = Stores::open([("a", url.as_str()), ("a", url.as_str())]);
        assert!(matches!(twice, Err(StoresError::SameName(_))));
    }
}
