//! Keys that are made, read back, published and refused.

use std::path::Path;

use super::*;

fn open(dir: &Path) -> Result<Signer, SigningError> {
    Signer::open(&SigningFiles::in_dir(dir), OffsetDateTime::UNIX_EPOCH)
}

fn json(signer: &Signer) -> serde_json::Value {
    serde_json::from_slice(&signer.key_set_document()).unwrap()
}

#[test]
fn a_key_is_made_once_and_read_back_by_others() {
    let dir = tempfile::tempdir().unwrap();
    let keys = dir.path().join("keys");
    let first = open(&keys).unwrap();
    let again = open(&keys).unwrap();
    assert_eq!(first.public(), again.public());
    let left: Vec<_> = std::fs::read_dir(&keys).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).unwrap();
    let file = std::fs::metadata(dir.path().join("signing.pem")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_missing_key_is_an_error_when_none_is_to_be_made() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = SigningFiles::in_dir(dir.path());
    files.create_key = false;
    let refused = Signer::open(&files, OffsetDateTime::UNIX_EPOCH).unwrap_err();
    assert!(matches!(refused, SigningError::NoKey(_)), "{refused}");
}

#[test]
fn a_broken_key_is_refused_and_not_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("signing.pem");
    std::fs::write(&path, "not a key").unwrap();
    assert!(matches!(open(dir.path()), Err(SigningError::Key { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
}

#[test]
fn devices_that_pin_the_recovery_key_can_verify_the_set() {
    let dir = tempfile::tempdir().unwrap();
    let recovery = PrivateKey::from_seed(&[9; 32]);
    std::fs::write(dir.path().join("recovery.pem"), recovery.to_pem().unwrap()).unwrap();
    let signer = open(dir.path()).unwrap();
    let document = json(&signer);
    let token = document["signed"].as_str().unwrap();
    let set = KeySet::from_signed(token, &recovery.public(), None).unwrap();
    assert!(set.contains(&signer.public().id()));
}

/// The folder has a recovery key; returns the set that a device reads, which holds `before`.
fn publish(
    dir: &Path,
    now: OffsetDateTime,
    before: Option<&KeySet>,
) -> Result<KeySet, KeySetError> {
    let recovery = PrivateKey::from_seed(&[9; 32]);
    std::fs::write(dir.join("recovery.pem"), recovery.to_pem().unwrap()).unwrap();
    let signer = Signer::open(&SigningFiles::in_dir(dir), now).unwrap();
    let document = json(&signer);
    let token = document["signed"].as_str().unwrap();
    let set = KeySet::from_signed(token, &recovery.public(), before)?;
    assert_eq!(
        KeySet::from_json(&signer.key_set_document()),
        Ok(set.clone())
    );
    Ok(set)
}

#[test]
fn a_clock_that_was_ahead_once_makes_no_later_set_an_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let now = OffsetDateTime::UNIX_EPOCH + time::Duration::days(20_000);
    let ahead = publish(dir.path(), now + time::Duration::days(365), None).unwrap();
    let new = PrivateKey::from_seed(&[3; 32]);
    let trusted = KeySet::new([new.public()]).to_json().unwrap();
    std::fs::write(dir.path().join("trusted.json"), trusted.to_string()).unwrap();
    let later = publish(dir.path(), now, Some(&ahead)).unwrap();
    assert!(later.contains(new.id()));
    let second = time::Duration::SECOND;
    let expected = ahead.issue_time().map(|date| date + second);
    assert_eq!(later.issue_time(), expected, "it rises and does not run");
}

#[test]
fn a_set_with_the_same_keys_keeps_its_date() {
    let dir = tempfile::tempdir().unwrap();
    let first = publish(dir.path(), OffsetDateTime::UNIX_EPOCH, None).unwrap();
    let day = OffsetDateTime::UNIX_EPOCH + time::Duration::DAY;
    let second = publish(dir.path(), day, Some(&first)).unwrap();
    assert_eq!(second, first);
}

#[test]
fn further_keys_are_trusted_and_published() {
    let dir = tempfile::tempdir().unwrap();
    let old = PrivateKey::from_seed(&[3; 32]);
    let trusted = KeySet::new([old.public()]).to_json().unwrap();
    std::fs::write(dir.path().join("trusted.json"), trusted.to_string()).unwrap();
    let signer = open(dir.path()).unwrap();
    let set = KeySet::from_json(&signer.key_set_document()).unwrap();
    assert!(set.contains(old.id()) && set.contains(&signer.public().id()));
    assert!(json(&signer).get("signed").is_none());
}

#[test]
fn a_set_signed_offline_must_hold_the_key_that_signs() {
    let dir = tempfile::tempdir().unwrap();
    let recovery = PrivateKey::from_seed(&[9; 32]);
    let signing = open(dir.path()).unwrap().public();
    let path = dir.path().join("key-set.jws");
    let stranger = KeySet::new([PrivateKey::from_seed(&[3; 32]).public()]);
    std::fs::write(&path, stranger.sign(&recovery).unwrap()).unwrap();
    assert!(matches!(
        open(dir.path()),
        Err(SigningError::NotInSet { .. })
    ));
    let whole = KeySet::new([signing]).sign(&recovery).unwrap();
    std::fs::write(&path, format!("{whole}\n")).unwrap();
    assert_eq!(json(&open(dir.path()).unwrap())["signed"], whole.as_str());
}

fn write_key(dir: &Path, seed: u8) -> PrivateKey {
    let key = PrivateKey::from_seed(&[seed; 32]);
    std::fs::write(dir.join("signing.pem"), key.to_pem().unwrap()).unwrap();
    key
}

fn write_set(dir: &Path, keys: &[&PrivateKey], day: i64) -> String {
    let recovery = PrivateKey::from_seed(&[9; 32]);
    let date = OffsetDateTime::UNIX_EPOCH + time::Duration::days(day);
    let set = KeySet::new(keys.iter().map(|key| key.public())).issued_at(date);
    let token = set.sign(&recovery).unwrap();
    std::fs::write(dir.join("key-set.jws"), &token).unwrap();
    token
}

fn look(signer: &Signer) -> bool {
    signer.look(OffsetDateTime::UNIX_EPOCH + time::Duration::days(10))
}

/// The four steps of docs/runbook.md, with nothing restarted.
#[test]
fn keys_rotate_without_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let old = write_key(dir.path(), 1);
    write_set(dir.path(), &[&old], 1);
    let signer = open(dir.path()).unwrap();
    assert!(!look(&signer), "nothing changed");
    let first = signer.seal();

    let new = PrivateKey::from_seed(&[2; 32]);
    let both = write_set(dir.path(), &[&old, &new], 2);
    assert!(look(&signer));
    assert_eq!(json(&signer)["signed"], both.as_str());
    assert_eq!(signer.public(), old.public());
    assert!(!signer.seal().is(&first));

    write_key(dir.path(), 2);
    assert!(look(&signer) && !look(&signer));
    assert_eq!(signer.public(), new.public());

    write_set(dir.path(), &[&new], 3);
    assert!(look(&signer));
    let set = KeySet::from_json(&signer.key_set_document()).unwrap();
    assert!(set.contains(new.id()) && !set.contains(old.id()));
}

#[test]
fn files_that_can_not_be_used_change_nothing_until_they_can() {
    let dir = tempfile::tempdir().unwrap();
    let old = write_key(dir.path(), 1);
    let before = write_set(dir.path(), &[&old], 5);
    let signer = open(dir.path()).unwrap();
    let path = dir.path().join("signing.pem");
    let whole = std::fs::read_to_string(&path).unwrap();
    for broken in [&whole[..whole.len() / 2], "", "not a key"] {
        std::fs::write(&path, broken).unwrap();
        assert!(!look(&signer));
    }
    std::fs::remove_file(&path).unwrap();
    assert!(!look(&signer) && !path.exists(), "none is made");
    write_key(dir.path(), 2);
    assert!(!look(&signer), "the set lacks the key");
    std::fs::write(&path, &whole).unwrap();
    write_set(dir.path(), &[&old], 4);
    assert!(!look(&signer), "the set is older");
    assert_eq!(signer.public(), old.public());
    assert_eq!(json(&signer)["signed"], before.as_str());
    let refused = open(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("1970-01-05"), "{refused}");
    let later = write_set(dir.path(), &[&old], 6);
    assert!(look(&signer));
    assert_eq!(json(&signer)["signed"], later.as_str());
}

#[test]
fn a_set_that_nobody_signed_never_goes_back_either() {
    let dir = tempfile::tempdir().unwrap();
    let signer = Signer::open(
        &SigningFiles::in_dir(dir.path()),
        OffsetDateTime::UNIX_EPOCH + time::Duration::days(20),
    )
    .unwrap();
    let date = |signer: &Signer| {
        let set = KeySet::from_json(&signer.key_set_document()).unwrap();
        set.issue_time().unwrap()
    };
    let first = date(&signer);
    let other = PrivateKey::from_seed(&[3; 32]);
    let trusted = KeySet::new([other.public()]).to_json().unwrap();
    std::fs::write(dir.path().join("trusted.json"), trusted.to_string()).unwrap();
    assert!(look(&signer), "ten days before");
    assert_eq!(date(&signer), first + time::Duration::SECOND);
}

/// A JWKS that gives the name of one key to another one.
fn misnamed(name: &str) -> String {
    let other = PrivateKey::from_seed(&[3; 32]).public().to_base64();
    let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519", "kid": name, "x": other});
    serde_json::json!({ "keys": [jwk] }).to_string()
}

#[test]
fn no_file_gives_the_name_of_the_signing_key_to_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let own = write_key(dir.path(), 1).public();
    std::fs::write(dir.path().join("trusted.json"), misnamed(&own.id())).unwrap();
    let signer = open(dir.path()).unwrap();
    let published = KeySet::from_json(&signer.key_set_document()).unwrap();
    assert!(published.holds(&own));

    let set = KeySet::from_json(misnamed(&own.id()).as_bytes()).unwrap();
    let token = set.sign(&PrivateKey::from_seed(&[9; 32])).unwrap();
    std::fs::write(dir.path().join("key-set.jws"), token).unwrap();
    let refused = open(dir.path());
    assert!(matches!(refused, Err(SigningError::NotInSet { .. })));
}

#[test]
fn what_failed_is_tried_again_though_no_file_of_the_operator_changed() {
    let dir = tempfile::tempdir().unwrap();
    let key = write_key(dir.path(), 1);
    write_set(dir.path(), &[&key], 1);
    let signer = open(dir.path()).unwrap();
    let last = dir.path().join("key-set.last.jws");
    std::fs::write(&last, "torn").unwrap();
    let newer = write_set(dir.path(), &[&key], 2);
    assert!(!look(&signer));
    std::fs::remove_file(&last).unwrap();
    assert!(look(&signer));
    assert_eq!(json(&signer)["signed"], newer.as_str());
}
