//! Who is in a cohort, and which claims are a canary's.

use serde_json::json;

use super::*;

fn canary(cohort: Cohort) -> Canary {
    Canary {
        id: "0190c6a0-0000-7000-8000-000000000001".into(),
        endpoint: RouteEndpoint {
            hub: HubId::new("east").unwrap(),
            host: "east.example.net".into(),
            region: "north".into(),
        },
        cohort,
        window_ms: 12_500,
        started_at: OffsetDateTime::UNIX_EPOCH,
        until: OffsetDateTime::UNIX_EPOCH + Duration::from_secs(900),
    }
}

#[test]
fn a_percentage_is_that_part_of_the_fleet_and_another_one_every_time() {
    let (first, mut second) = (canary(Cohort::Percent(10)), canary(Cohort::Percent(10)));
    second.id = "another".into();
    let devices: Vec<String> = (0..20_000).map(|at| format!("d-{at}")).collect();
    let of = |canary: &Canary| devices.iter().filter(|id| canary.has(id)).count();
    for (canary, expected) in [(&first, 2_000.0), (&second, 2_000.0)] {
        let off = (of(canary) as f64 - expected).abs();
        assert!(off < 4.0 * f64::sqrt(expected), "{off}");
    }
    let both = devices
        .iter()
        .filter(|id| first.has(id) && second.has(id))
        .count();
    assert!((100..320).contains(&both), "{both}");
    assert!(devices.iter().all(|id| !canary(Cohort::Percent(0)).has(id)));
    assert!(
        devices
            .iter()
            .all(|id| canary(Cohort::Percent(100)).has(id))
    );
}

#[test]
fn a_list_has_those_that_it_names() {
    let listed = canary(Cohort::Devices(vec![
        DeviceHash::of("d-1"),
        DeviceHash::of("d-2"),
    ]));
    assert!(listed.has("d-1") && listed.has("d-2") && !listed.has("d-3"));
    assert_eq!(listed.cohort.size(1_000), 2);
    assert_eq!(Cohort::Percent(1).size(1_001), 11);
}

#[test]
fn slots_of_a_percentage_are_uniform() {
    let canary = canary(Cohort::Percent(25));
    let mut bins = [0u32; 20];
    for device in (0..40_000).map(|at| format!("d-{at}")) {
        if canary.has(&device) {
            let slot = canary.slot(&device, Epoch(1024)).as_millis();
            bins[usize::try_from(slot * 20 / 12_500).unwrap()] += 1;
        }
    }
    let expected = f64::from(bins.iter().sum::<u32>()) / 20.0;
    let square = |count: &u32| (f64::from(*count) - expected).powi(2) / expected;
    let chi_square: f64 = bins.iter().map(square).sum();
    // The 99.99 % quantile with 19 degrees of freedom is 52.
    assert!(chi_square < 52.0, "chi-square {chi_square}");
}

#[test]
fn a_canary_survives_json_and_shows_no_ids() {
    for cohort in [
        Cohort::Percent(5),
        Cohort::Devices(vec![DeviceHash::of("d-1")]),
    ] {
        let claim = CanaryClaim::Known(canary(cohort));
        let text = serde_json::to_string(&claim).unwrap();
        assert!(
            !text.contains("d-1") && text.contains("\"until\":900"),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<CanaryClaim>(&text).unwrap(), claim);
    }
}

#[test]
fn a_claim_of_another_shape_is_nobodys_and_is_kept() {
    let good = serde_json::to_value(CanaryClaim::Known(canary(Cohort::Percent(100)))).unwrap();
    let with = |name: &str, value: serde_json::Value| {
        let mut claim = good.clone();
        claim[name] = value;
        claim
    };
    for newer in [
        with("regions", json!(["eu"])),
        with("devices", json!(["0123456789abcdef"])),
        with("percent", json!("some")),
        with("until", json!("tomorrow")),
        json!([]),
        json!(7),
    ] {
        let claim: CanaryClaim = serde_json::from_value(newer.clone()).unwrap();
        assert_eq!(claim.known(), None, "{newer}");
        assert_eq!(serde_json::to_value(&claim).unwrap(), newer);
        assert!(tell_the_same(Some(&claim), None) && tell_the_same(None, Some(&claim)));
    }
    let known: CanaryClaim = serde_json::from_value(good).unwrap();
    assert!(!tell_the_same(Some(&known), None) && tell_the_same(Some(&known), Some(&known)));
}

#[test]
fn hashes_of_devices_have_one_text() {
    let hash = DeviceHash::of("device-1");
    assert_eq!(DeviceHash::try_from(hash.to_string()), Ok(hash));
    let upper = hash.to_string().to_uppercase();
    for bad in ["", "+123456789abcdef", "0123456789abcde", upper.as_str()] {
        assert!(DeviceHash::try_from(bad.to_owned()).is_err(), "{bad}");
    }
}
