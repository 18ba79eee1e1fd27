use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

fn key() -> Secret {
    Secret::new("c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
}

fn hosts() -> Vec<String> {
    vec!["hub.example".to_owned(), "hub.example:8443".to_owned()]
}

fn signed(resource: &str) -> Token {
    let token = token(resource, &key(), Some("iothubowner"), NOW).unwrap();
    Token::parse(token.expose()).unwrap()
}

/// Signs `sr` exactly as given, as clients do that do not encode it.
fn raw(sr: &str) -> String {
    let mac = keyed(&key(), sr, "1795438800")
        .unwrap()
        .finalize()
        .into_bytes();
    let sig = STANDARD.encode(mac).replace('+', "%2B").replace('=', "%3D");
    format!("SharedAccessSignature sr={sr}&sig={sig}&skn=iothubowner&se=1795438800")
}

#[test]
fn a_known_token_comes_out_to_the_letter() {
    let made = token(
        "hub.example:8443",
        &key(),
        Some("owner"),
        datetime!(2026-01-01 0:00 UTC),
    );
    let made = made.unwrap();
    assert!(
        made.expose()
            .starts_with("SharedAccessSignature sr=hub.example%3A8443&sig=")
    );
    assert!(made.expose().ends_with("&se=1767225600&skn=owner"));
}

#[test]
fn what_is_signed_verifies_and_names_its_policy() {
    let token = signed("hub.example");
    assert_eq!(token.verify(&key(), NOW), Ok(()));
    assert_eq!(token.policy(), Some("iothubowner"));
}

#[test]
fn an_unencoded_resource_with_a_port_verifies_over_its_raw_text() {
    let token = Token::parse(&raw("hub.example:8443")).unwrap();
    assert_eq!(token.verify(&key(), NOW), Ok(()));
    assert!(token.covers(&hosts(), &["devices"]));
}

#[test]
fn a_raw_slash_in_the_signature_is_accepted() {
    let with_slash = (0..500)
        .map(|n| raw(&format!("hub.example/{n}")))
        .find(|text| {
            text.split("sig=")
                .nth(1)
                .is_some_and(|sig| sig.contains('/'))
        });
    let token = Token::parse(&with_slash.expect("one of 500 signatures has a slash")).unwrap();
    assert_eq!(token.verify(&key(), NOW), Ok(()));
}

#[test]
fn fields_come_in_any_order() {
    let made = token("hub.example", &key(), None, NOW).unwrap();
    let mut fields: Vec<_> = made
        .expose()
        .trim_start_matches(SCHEME)
        .split('&')
        .collect();
    fields.reverse();
    let token = Token::parse(&format!("{SCHEME}{}", fields.join("&"))).unwrap();
    assert_eq!(token.verify(&key(), NOW), Ok(()));
    assert_eq!(token.policy(), None);
}

#[test]
fn another_key_does_not_verify() {
    let other = Secret::new("b3RoZXI=");
    assert_eq!(
        signed("hub.example").verify(&other, NOW),
        Err(SasError::WrongSignature)
    );
}

#[test]
fn a_token_lives_five_minutes_beyond_its_expiry() {
    let token = signed("hub.example");
    assert_eq!(token.verify(&key(), NOW + CLOCK_SKEW), Ok(()));
    let late = NOW + CLOCK_SKEW + Duration::SECOND;
    assert_eq!(token.verify(&key(), late), Err(SasError::Expired));
}

#[test]
fn scope_is_a_prefix_by_segments() {
    let token = signed("HUB.example/devices/d1");
    assert!(token.covers(&hosts(), &["devices", "d1"]));
    assert!(token.covers(&hosts(), &["devices", "d1", "messages", "events"]));
    assert!(!token.covers(&hosts(), &["devices", "d12"]));
    assert!(!token.covers(&hosts(), &["devices", "D1"]));
    assert!(!token.covers(&hosts(), &["devices"]));
    assert!(!token.covers(&["other".to_owned()], &["devices", "d1"]));
}

#[test]
fn an_id_with_percent_signs_is_decoded_once() {
    let token = signed(&device_resource("hub.example", "a%2Fb+c"));
    assert!(token.covers(&hosts(), &["devices", "a%2Fb+c"]));
    assert!(!token.covers(&hosts(), &["devices", "a", "b+c"]));
}

#[test]
fn malformed_tokens_are_refused() {
    let good = token("hub.example", &key(), None, NOW)
        .unwrap()
        .expose()
        .to_owned();
    let bad = [
        String::new(),
        "Bearer abc".to_owned(),
        good.replace("&se=", "&sx="),
        format!("{good}&se=1"),
        good.replace("se=", "se=soon"),
        good.replace("sig=", "sig=%%%"),
    ];
    for text in bad {
        assert_eq!(
            Token::parse(&text).err(),
            Some(SasError::Malformed),
            "{text}"
        );
    }
}
