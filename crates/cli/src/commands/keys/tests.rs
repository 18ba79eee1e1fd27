//! Keys that are made, shown and never overwritten; sets that are signed, dated and refused.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::output::View as _;

fn at(seconds: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

/// A folder with a recovery key and two signing keys, and their public halves.
fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for name in ["recovery", "east", "west"] {
        let view = new(&dir.path().join(format!("{name}.pem"))).unwrap();
        let jwk = serde_json::to_string(&view).unwrap();
        std::fs::write(dir.path().join(format!("{name}.jwk")), jwk).unwrap();
    }
    dir
}

fn sign(dir: &Path, issued_at: Option<OffsetDateTime>, keys: &[&str]) -> Result<SetView, CliError> {
    let keys: Vec<PathBuf> = keys.iter().map(|name| dir.join(name)).collect();
    let (recovery, out) = (dir.join("recovery.pem"), dir.join("key-set.jws"));
    sign_set(&recovery, &out, issued_at, &keys)
}

#[test]
fn a_key_is_for_its_owner_alone_and_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signing.pem");
    let made = new(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read_to_string(&path).unwrap();
    assert_eq!(new(&path).unwrap_err().code(), 64);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), before);
    let key = files::private(&path).unwrap();
    assert_eq!(KeyView::of(&key).unwrap().human(), made.human());
    assert!(made.human().contains(key.id()));
}

#[test]
fn a_set_is_signed_and_verifies_under_the_pinned_key_alone() {
    let dir = folder();
    let signed = sign(dir.path(), None, &["east.jwk", "west.jwk"]).unwrap();
    assert_eq!(signed.kids.len(), 2);
    let set = dir.path().join("key-set.jws");
    let verified = verify(&dir.path().join("recovery.jwk"), &set).unwrap();
    assert_eq!(verified.human(), signed.human());
    let token = std::fs::read_to_string(&set).unwrap();
    let document = serde_json::json!({"keys": [], "signed": token.trim()}).to_string();
    std::fs::write(dir.path().join("document.json"), document).unwrap();
    let document = dir.path().join("document.json");
    assert!(verify(&dir.path().join("recovery.jwk"), &document).is_ok());
    let refused = verify(&dir.path().join("east.jwk"), &set).unwrap_err();
    assert_eq!(refused.reason(), "KEY_SET_REFUSED");
}

#[test]
fn public_keys_are_read_from_a_set_and_from_a_pem_too() {
    let dir = folder();
    let east = files::private(&dir.path().join("east.pem")).unwrap();
    let west = files::private(&dir.path().join("west.pem")).unwrap();
    let jwks = KeySet::new([east.public()]).to_json().unwrap().to_string();
    std::fs::write(dir.path().join("east.jwks"), jwks).unwrap();
    let pem = west.public().to_pem().unwrap();
    std::fs::write(dir.path().join("west.pub"), pem).unwrap();
    let signed = sign(dir.path(), None, &["east.jwks", "west.pub"]).unwrap();
    let kids = [east.id(), west.id()];
    assert!(
        kids.iter()
            .all(|kid| signed.kids.iter().any(|had| had == kid))
    );
    for wrong in ["west.pem", "recovery.jwk", "none.jwk"] {
        assert!(sign(dir.path(), None, &[wrong]).is_err(), "{wrong}");
    }
}

#[test]
fn a_set_is_dated_later_than_the_one_before() {
    let dir = folder();
    let ahead = at(4_000_000_000);
    sign(dir.path(), Some(ahead), &["east.jwk"]).unwrap();
    let next = sign(dir.path(), None, &["east.jwk", "west.jwk"]).unwrap();
    assert_eq!(next.issued_at, view::rfc3339(ahead + Duration::SECOND));
    assert!(sign(dir.path(), Some(ahead), &["west.jwk"]).is_err());
    let out = dir.path().join("key-set.jws");
    std::fs::write(&out, "something of value").unwrap();
    assert!(sign(dir.path(), None, &["west.jwk"]).is_err());
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "something of value");
}

#[test]
fn a_date_follows_the_clock_unless_that_would_go_back() {
    let (early, late) = (at(1000), at(2000));
    assert_eq!(date(None, None, late).unwrap(), late);
    assert_eq!(date(Some(early), None, late).unwrap(), late);
    assert_eq!(date(Some(late), None, early).unwrap(), at(2001));
    assert_eq!(date(Some(early), Some(late), early).unwrap(), late);
    assert!(date(Some(late), Some(late), late).is_err());
}
