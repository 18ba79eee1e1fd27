//! What is not signed as it should be changes nothing, and what is signed is followed.

use std::time::Instant;

use hubshift_domain::route::RouteError;

use super::*;

/// base64url of the headers that stand beside them.
const HEADERS: [&str; 4] = [
    // {"alg":"none","kid":"","typ":"hubshift-route+jws"}
    "eyJhbGciOiJub25lIiwia2lkIjoiIiwidHlwIjoiaHVic2hpZnQtcm91dGUrandzIn0",
    // {"alg":"HS256","kid":"","typ":"hubshift-route+jws"}
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IiIsInR5cCI6Imh1YnNoaWZ0LXJvdXRlK2p3cyJ9",
    // {"alg":"EdDSA","typ":"hubshift-route+jws"}
    "eyJhbGciOiJFZERTQSIsInR5cCI6Imh1YnNoaWZ0LXJvdXRlK2p3cyJ9",
    // {"alg":"EdDSA","kid":"","typ":"hubshift-keys+jws"}
    "eyJhbGciOiJFZERTQSIsImtpZCI6IiIsInR5cCI6Imh1YnNoaWZ0LWtleXMrandzIn0",
];

fn core() -> Core {
    let device = config(vec![]);
    Core::new(device.fleet, device.device, device.trust, Instant::now())
}

fn answer(route: String) -> Answer {
    Answer {
        route,
        poll_after_ms: 1000,
        stale: false,
    }
}

fn refused(core: &mut Core, route: String) -> RouteError {
    let before = core.decision();
    let refused = core.on_answer(&answer(route), Instant::now(), 0);
    assert_eq!(core.decision(), before);
    match refused {
        Err(Refused::NotVerified(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_header_is_refused_whatever_is_signed() {
    let mut core = core();
    core.on_answer(&answer(route(1024)), Instant::now(), 0)
        .unwrap();
    let good = route(2048);
    let (_, rest) = good.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    for header in HEADERS {
        for forged in [format!("{header}.{rest}"), format!("{header}.{payload}.")] {
            assert_eq!(refused(&mut core, forged), RouteError::Malformed);
        }
    }
}

#[test]
fn a_route_of_nine_kilobytes_is_not_even_looked_at() {
    let long = route(1024) + &"A".repeat(9 * 1024);
    assert_eq!(refused(&mut core(), long), RouteError::TooLong);
}

#[test]
fn a_signature_of_another_payload_is_refused() {
    let (one, other) = (route(1024), route(2048));
    let (content, _) = other.rsplit_once('.').unwrap();
    let (_, signature) = one.rsplit_once('.').unwrap();
    let forged = format!("{content}.{signature}");
    assert_eq!(refused(&mut core(), forged), RouteError::Signature);
}

#[test]
fn a_route_of_another_fleet_is_refused() {
    let mut foreign = claims_of(1024, 1000);
    foreign.fleet = FleetId::new("other").unwrap();
    let signed = sign(&foreign, &key()).unwrap();
    let mut core = core();
    let refused = core.on_answer(&answer(signed), Instant::now(), 0);
    assert_eq!(refused, Err(Refused::OtherFleet(foreign.fleet)));
    assert!(core.decision().is_none());
}

#[test]
fn a_route_that_ran_out_is_still_followed() {
    let claims = claims_of(1024, 1000);
    assert!(claims.not_after < OffsetDateTime::now_utc());
    let mut core = core();
    let outcome = core.on_answer(&answer(route(1024)), Instant::now(), 0);
    assert_eq!(outcome, Ok(Outcome::Accepted));
    assert_eq!(core.decision().unwrap().endpoint.hub.as_str(), "east");
}
