//! Keys that change while the table is served.

use hubshift_domain::route::KeySet;

use super::*;
use crate::signing::SigningFiles;

/// A folder with the fixtures' key.
struct Keys {
    dir: tempfile::TempDir,
    signer: Signer,
}

impl Keys {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let pem = fixture::key().to_pem().unwrap();
        std::fs::write(dir.path().join("signing.pem"), pem).unwrap();
        let files = SigningFiles::in_dir(dir.path());
        let signer = Signer::open(&files, OffsetDateTime::UNIX_EPOCH).unwrap();
        Self { dir, signer }
    }

    fn boot(&self) -> Table {
        Table::boot(self.dir.path(), &self.signer, STALE_AFTER)
    }

    fn trust(&self, keys: &[&PrivateKey]) {
        let set = KeySet::new(keys.iter().map(|key| key.public()));
        let json = set.to_json().unwrap().to_string();
        std::fs::write(self.dir.path().join("trusted.json"), json).unwrap();
    }

    fn sign_with(&self, key: &PrivateKey) {
        let pem = key.to_pem().unwrap();
        std::fs::write(self.dir.path().join("signing.pem"), pem).unwrap();
    }

    /// As a refresh does it.
    async fn follow(&self, table: &Table) {
        assert!(self.signer.look(OffsetDateTime::UNIX_EPOCH));
        table.follow_keys(&self.signer).await;
    }
}

#[tokio::test]
async fn a_rotation_changes_no_epoch_and_serves_no_route_that_is_not_trusted() {
    let (old, new) = (fixture::key(), PrivateKey::from_seed(&[2; 32]));
    let keys = Keys::new();
    let table = keys.boot();
    let before = entry("acme", 2049, 2);
    table.serve(vec![before.clone()]).await;

    keys.trust(&[&old, &new]);
    keys.follow(&table).await;
    keys.sign_with(&new);
    keys.follow(&table).await;
    assert_eq!(table.get(&acme()).unwrap().jws, before.jws, "still trusted");
    let file = TableFile::in_dir(keys.dir.path());
    let saved = file.load(&keys.signer.seal()).unwrap();
    assert!(saved.is_vouched, "sealed under the new keys at once");

    keys.trust(&[&new]);
    keys.follow(&table).await;
    let served = table.get(&acme()).unwrap();
    let only_new = KeySet::new([new.public()]);
    assert_eq!(only_new.verify(&served.jws).as_ref(), Ok(&served.claims));
    assert!(served.claims.tells_the_same(&before.claims));
    assert_eq!(*keys.boot().get(&acme()).unwrap(), *served, "on disk too");
}

#[tokio::test]
async fn a_file_that_was_sealed_before_a_key_was_taken_out_is_verified_again() {
    let (old, new) = (fixture::key(), PrivateKey::from_seed(&[2; 32]));
    let keys = Keys::new();
    keys.trust(&[&old, &new]);
    keys.sign_with(&new);
    assert!(keys.signer.look(OffsetDateTime::UNIX_EPOCH));
    keys.boot().serve(vec![entry("acme", 2049, 2)]).await;
    keys.trust(&[&new]);
    assert!(keys.signer.look(OffsetDateTime::UNIX_EPOCH));
    let served = keys.boot().get(&acme()).unwrap();
    assert!(KeySet::new([new.public()]).verify(&served.jws).is_ok());
}

#[tokio::test]
async fn evidence_is_not_vouched_for_by_the_next_key() {
    let keys = Keys::new();
    let table = keys.boot();
    table.serve(vec![entry("acme", 1024, 1)]).await;
    let newer = entry("acme", 2049, 2).jws;
    present(&table, &keys.signer, &acme(), &newer)
        .await
        .unwrap();
    keys.sign_with(&PrivateKey::from_seed(&[2; 32]));
    keys.follow(&table).await;
    assert!(table.get(&acme()).is_none() && !table.is_loaded());
    assert!(!table.load().is_whole(), "it may well exist");
}
