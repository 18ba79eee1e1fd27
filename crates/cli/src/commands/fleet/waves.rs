//! Waves as flags and files have them: who goes first.

use std::str::FromStr;

use hubshift_api::pb::concierge as pb;
use serde::Deserialize;

/// How a wave is written as a flag.
pub(super) const SHAPE: &str = "write NAME:prefix=PREFIX,PREFIX:devices=N or NAME:percent=N, like \
                                pumps:prefix=pump-,valve-:devices=1000";

/// A wave, of a file or a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WaveSpec {
    name: String,
    prefixes: Vec<String>,
    percent: u32,
    device_count: u64,
}

impl From<WaveSpec> for pb::Wave {
    fn from(spec: WaveSpec) -> Self {
        let WaveSpec {
            name,
            prefixes,
            percent,
            device_count,
        } = spec;
        Self {
            name,
            prefixes,
            percent,
            device_count,
        }
    }
}

/// Reads `NAME:WORD=VALUE[:WORD=VALUE]`.
pub(super) fn parse(text: &str) -> Result<WaveSpec, String> {
    let mut parts = text.split(':');
    let name = parts.next().filter(|name| !name.is_empty()).ok_or(SHAPE)?;
    let mut spec = WaveSpec {
        name: name.to_owned(),
        ..WaveSpec::default()
    };
    for part in parts {
        let (word, value) = part
            .split_once('=')
            .ok_or_else(|| format!("`{part}` is not WORD=VALUE; {SHAPE}"))?;
        match word {
            "prefix" => spec.prefixes = value.split(',').map(str::to_owned).collect(),
            "percent" => spec.percent = number(value)?,
            "devices" => spec.device_count = number(value)?,
            _ => return Err(format!("`{word}` is not one of: prefix, percent, devices")),
        }
    }
    if spec.prefixes.is_empty() && spec.percent == 0 {
        return Err(SHAPE.to_owned());
    }
    Ok(spec)
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wave_is_read_with_its_prefixes_or_its_percentage() {
        let pumps = parse("pumps:prefix=pump-,valve-:devices=1000").unwrap();
        assert_eq!(pumps.prefixes, ["pump-", "valve-"]);
        let wire = pb::Wave::from(pumps);
        assert_eq!(
            (wire.name.as_str(), wire.device_count, wire.percent),
            ("pumps", 1000, 0)
        );
        assert_eq!(parse("tenth:percent=10").unwrap().percent, 10);
    }

    #[test]
    fn a_wave_that_is_wrong_says_how_to_write_it() {
        for bad in [
            "",
            "pumps",
            ":percent=10",
            "pumps:devices=5",
            "pumps:percent=many",
            "pumps:prefix",
            "pumps:colour=red",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
