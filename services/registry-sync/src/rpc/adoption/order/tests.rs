use hubshift_api::fault::reason;

use super::*;

fn told(device: &str, action: pb::ExtraAction) -> pb::ExtraOverride {
    pb::ExtraOverride {
        device: device.into(),
        action: action.into(),
    }
}

fn request(overrides: Vec<pb::ExtraOverride>) -> pb::ApplyAdoptionRequest {
    pb::ApplyAdoptionRequest {
        name: format!("fleets/acme/hubs/west/adoptions/{}", Uuid::nil()),
        extras: pb::ExtraAction::Keep.into(),
        overrides,
        acknowledge_count: 0,
        request_id: Uuid::nil().to_string(),
    }
}

#[test]
fn everything_that_is_wrong_with_an_order_is_said_at_once() {
    let (keep, quarantine) = (pb::ExtraAction::Keep, pb::ExtraAction::Quarantine);
    let body = pb::ApplyAdoptionRequest {
        extras: pb::ExtraAction::Unspecified.into(),
        request_id: "7".into(),
        ..request(vec![
            told("d", keep),
            told("d", keep),
            told("a/b/c", keep),
            told("/configurations/x", quarantine),
            told("e", pb::ExtraAction::Unspecified),
        ])
    };
    let refused = asked(&body).unwrap_err();
    assert_eq!(reason(&refused), "INVALID_REQUEST");
    for part in [
        "extras: is required",
        "overrides[1].device: `d` is named twice",
        "overrides[2].device: `a/b/c`",
        "overrides[3].action: only a device",
        "overrides[4].action: is required",
        "request_id: is required",
    ] {
        assert!(refused.message().contains(part), "{part}: {refused}");
    }
}

#[test]
fn a_thousand_extras_can_be_named_and_no_more() {
    let named = |count: usize| {
        let overrides = (0..count).map(|it| told(&format!("d-{it}"), pb::ExtraAction::Delete));
        asked(&request(overrides.collect()))
    };
    assert_eq!(named(MAX_OVERRIDES).unwrap().overrides.len(), MAX_OVERRIDES);
    assert_eq!(
        reason(&named(MAX_OVERRIDES + 1).unwrap_err()),
        "INVALID_REQUEST"
    );
}

#[test]
fn only_extras_with_a_fate_of_their_own_can_be_named() {
    let (keep, delete) = (pb::ExtraAction::Keep, pb::ExtraAction::Delete);
    let body = request(vec![told("d", keep), told("d/m", delete), told("x", keep)]);
    let overrides = asked(&body).unwrap().overrides;
    let known = |key: &str, goes_with: Option<&str>| (key.to_owned(), goes_with.map(str::to_owned));
    let refused =
        check_known(&overrides, vec![known("d", None), known("d/m", Some("d"))]).unwrap_err();
    let text = refused.message();
    assert!(
        text.contains("overrides[1].device: `d/m` goes with `d`"),
        "{text}"
    );
    assert!(
        text.contains("overrides[2].device: `x` is no extra"),
        "{text}"
    );
    assert!(!text.contains("overrides[0]"), "{text}");
}
