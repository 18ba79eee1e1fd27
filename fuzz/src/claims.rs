//! What is true of every route that was read, whoever signed it.

use std::time::Duration;

use hubshift_domain::route::{Accept, RouteClaims, accept, sign};
use time::OffsetDateTime;

use crate::jws::Keys;

/// Devices of every class that the corpus has.
const DEVICES: [&str; 4] = ["device-1", "device-50", "pump-7", "*"];

/// Checks the claims.
pub(crate) fn check(keys: &Keys, claims: &RouteClaims) {
    assert!(claims.active().is_some(), "a route leads nowhere");
    assert!(claims.tells_the_same(claims));
    assert_eq!(accept(Some(claims), claims), Accept::Same);
    for device in DEVICES {
        has_a_place(claims, device);
    }
    for now in [
        OffsetDateTime::UNIX_EPOCH,
        claims.issued_at,
        claims.not_after,
    ] {
        let _due = claims.is_due(now);
    }
    says_the_same_again(keys, claims);
}

/// A device's slots lie in its windows.
fn has_a_place(claims: &RouteClaims, device: &str) {
    let (offset, window) = claims
        .admission
        .waves
        .range(device, claims.admission.window_ms);
    let within = claims
        .slot(device)
        .checked_sub(Duration::from_millis(offset));
    let within = within.expect("a slot is before its window");
    assert!(fits(within, window), "{within:?} of {window} ms");
    if let Some(canary) = claims.canary_of(device) {
        let slot = canary.slot(device, claims.epoch);
        assert!(fits(slot, canary.window_ms), "{slot:?} of the canary");
        let _life = canary.life();
    }
}

/// An empty window has room for zero.
fn fits(slot: Duration, window_ms: u64) -> bool {
    slot < Duration::from_millis(window_ms) || (window_ms == 0 && slot.is_zero())
}

/// What was read and signed again tells devices the same. A member that stood there twice stands
/// there once from then on, so that what only a newer version knew may become known: after that
/// nothing changes any more.
fn says_the_same_again(keys: &Keys, claims: &RouteClaims) {
    let once = again(claims);
    assert!(claims.tells_the_same(&once), "{claims:?}, then {once:?}");
    assert_eq!(again(&once), once);
    if let Ok(token) = sign(&once, &keys.routes.private) {
        assert_eq!(keys.trusted.verify(&token), Ok(once));
    }
}

fn again(claims: &RouteClaims) -> RouteClaims {
    let json = serde_json::to_vec(claims).expect("claims that were read have a JSON form");
    serde_json::from_slice(&json).expect("claims that were written are claims")
}
