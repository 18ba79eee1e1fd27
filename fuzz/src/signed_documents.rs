//! The first byte says what the rest is:
//!
//! ```text
//! 0  a document as it came: a route, a key set, a key, a rule
//! 1  contents of key sets, one a line, each signed by the recovery key
//! 2  the life of a device with a clock: see `device`
//! 3  the same without a clock
//! ```
//!
//! Checked: nothing panics; what is read reads back equal; a key set never gives way to an older one;
//! what `claims` and `device` say of routes and devices.

use std::fmt::Debug;

use hubshift_domain::route::{KeySet, OnUnreachable, PrivateKey, PublicKey, RouteClaims};

use crate::claims;
use crate::device::Device;
use crate::jws::Keys;

/// More key sets teach nothing new.
const MOST_SETS: usize = 16;

thread_local! {
    static KEYS: Keys = Keys::new();
}

/// One input.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else {
        return;
    };
    KEYS.with(|keys| match kind % 4 {
        0 => document(keys, rest),
        1 => key_sets(keys, rest),
        2 => Device::new(keys, true).live(rest),
        _ => Device::new(keys, false).live(rest),
    });
}

fn document(keys: &Keys, bytes: &[u8]) {
    if let Ok(set) = KeySet::from_json(bytes) {
        reads_back(&set);
    }
    if let Ok(key) = PublicKey::from_jwk(bytes) {
        assert_eq!(PublicKey::from_base64(&key.to_base64()), Ok(key));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let verified = keys.trusted.verify(text);
    for claims in [verified, RouteClaims::from_unverified(text)]
        .into_iter()
        .flatten()
    {
        claims::check(keys, &claims);
    }
    let signed = KeySet::from_signed(text, &keys.recovery.public, None);
    for set in [signed, KeySet::from_unverified(text)]
        .into_iter()
        .flatten()
    {
        reads_back(&set);
    }
    if let Ok(key) = PublicKey::from_pem(text) {
        same(key.to_pem().and_then(|pem| PublicKey::from_pem(&pem)), key);
    }
    if let Ok(key) = PrivateKey::from_pem(text) {
        let again = key.to_pem().and_then(|pem| PrivateKey::from_pem(&pem));
        same(again.map(|again| again.public()), key.public());
    }
    if let Ok(rule) = text.parse::<OnUnreachable>() {
        same(rule.to_string().parse(), rule);
    }
}

/// Each signed set is read by somebody who holds the one before.
fn key_sets(keys: &Keys, bytes: &[u8]) {
    let mut held: Option<KeySet> = None;
    for content in bytes.split(|byte| *byte == b'\n').take(MOST_SETS) {
        let token = keys.key_set(content);
        let read = KeySet::from_signed(&token, &keys.recovery.public, held.as_ref());
        let Ok(set) = read else {
            continue;
        };
        reads_back(&set);
        let before = held.as_ref().and_then(KeySet::issue_time);
        assert!(before <= set.issue_time(), "{held:?}, then {set:?}");
        held = Some(set);
    }
}

fn reads_back(set: &KeySet) {
    assert!(set.kids().next().is_some(), "a key set without a key");
    let json = set.to_json().map(|json| json.to_string());
    let again = json.and_then(|json| KeySet::from_json(json.as_bytes()));
    same(again, set.clone());
}

fn same<T: Debug + PartialEq, E: Debug + PartialEq>(read: Result<T, E>, expected: T) {
    assert_eq!(read, Ok(expected));
}
