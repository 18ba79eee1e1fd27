//! Waves from the wire.

use std::collections::HashSet;

use hubshift_api::pb::concierge::Wave;
use hubshift_api::validate::Checks;
use hubshift_domain::id::{DeviceId, WaveId};
use hubshift_domain::route::{MAX_PREFIX_LETTERS, MAX_PREFIXES, MAX_WAVES, Members, WavePlan};

/// Who goes first, checked whole.
pub(super) fn waves(checks: &mut Checks, wire: &[Wave]) -> Vec<WavePlan> {
    const FIELD: &str = "fleet.waves";
    if wire.len() > MAX_WAVES {
        let problem = format!("has {} waves, at most {MAX_WAVES}", wire.len());
        checks.violation(FIELD, problem);
    }
    let prefixes = wire.iter().flat_map(|wave| &wave.prefixes);
    let letters: usize = prefixes.map(String::len).sum();
    if letters > MAX_PREFIX_LETTERS {
        let problem =
            format!("has prefixes of {letters} characters in all, at most {MAX_PREFIX_LETTERS}");
        checks.violation(FIELD, problem);
    }
    let mut names = HashSet::new();
    let mut plan = Vec::with_capacity(wire.len());
    for (index, wave) in wire.iter().enumerate() {
        let field = format!("{FIELD}[{index}]");
        let at = format!("{field}.name");
        let name = checks.take(&at, WaveId::new(wave.name.as_str()));
        if name.clone().is_some_and(|name| !names.insert(name)) {
            checks.violation(&at, "is there twice");
        }
        let members = members(checks, &field, wave);
        plan.extend(name.zip(members).map(|(name, members)| WavePlan {
            name,
            members,
            device_count: wave.device_count,
        }));
    }
    plan
}

fn members(checks: &mut Checks, field: &str, wave: &Wave) -> Option<Members> {
    let count = format!("{field}.device_count");
    match (wave.prefixes.is_empty(), wave.percent) {
        (false, 0) => {
            if !(1..=1_000_000_000).contains(&wave.device_count) {
                checks.violation(&count, "must be 1 to 1000000000");
            }
            prefixes(checks, field, &wave.prefixes)
        }
        (true, percent @ 1..=99) => {
            if wave.device_count != 0 {
                checks.violation(&count, "is not set with percent, which says it");
            }
            u8::try_from(percent).ok().map(Members::Percent)
        }
        (true, 0) | (false, _) => {
            checks.violation(field, "needs prefixes or percent, one of both");
            None
        }
        (true, _) => {
            checks.violation(&format!("{field}.percent"), "must be 1 to 99");
            None
        }
    }
}

fn prefixes(checks: &mut Checks, field: &str, wire: &[String]) -> Option<Members> {
    let at = |index: usize| format!("{field}.prefixes[{index}]");
    if wire.len() > MAX_PREFIXES {
        let problem = format!("has {} prefixes, at most {MAX_PREFIXES}", wire.len());
        checks.violation(&format!("{field}.prefixes"), problem);
    }
    for (index, prefix) in wire.iter().enumerate() {
        // What no id can begin with is a slip.
        checks.take(&at(index), DeviceId::new(prefix.as_str()));
    }
    Some(Members::Prefixes(wire.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(name: &str, prefixes: &[&str], percent: u32, device_count: u64) -> Wave {
        Wave {
            name: name.into(),
            prefixes: prefixes.iter().map(|prefix| (*prefix).to_owned()).collect(),
            percent,
            device_count,
        }
    }

    #[test]
    fn good_waves_are_taken_in_their_order() {
        let mut checks = Checks::new();
        let wire = [wave("pumps", &["pump-"], 0, 10), wave("tenth", &[], 10, 0)];
        let plan = waves(&mut checks, &wire);
        assert!(checks.done().is_ok());
        assert_eq!(plan[0].members, Members::Prefixes(vec!["pump-".into()]));
        assert_eq!(
            (plan[0].device_count, &plan[1].members),
            (10, &Members::Percent(10))
        );
    }

    #[test]
    fn every_violation_of_waves_is_found_at_once() {
        let many: Vec<String> = (0..17).map(|at| format!("{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "p".repeat(127);
        let mut wire = vec![
            wave("Pumps", &["a b"], 0, 1),
            wave("w", &[], 0, 0),
            wave("w", &["p"], 5, 0),
            wave("x", &many, 0, 0),
            wave("y", &[], 100, 7),
            wave("z", &[], 5, 7),
            wave("long", &[long.as_str(); 8], 0, 1),
        ];
        wire.extend([wave("a", &[], 5, 0), wave("b", &[], 5, 0)]);
        let mut checks = Checks::new();
        waves(&mut checks, &wire);
        let text = checks.done().unwrap_err().message().to_owned();
        for field in [
            "has 9 waves",
            "1000",
            "waves[0].name",
            "waves[0].prefixes[0]",
            "waves[1]",
            "waves[2].name",
            "waves[2]",
            "waves[3].prefixes",
            "waves[3].device_count",
            "waves[4].percent",
            "waves[5].device_count",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
    }
}
