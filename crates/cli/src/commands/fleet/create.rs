//! `hubshift fleet create`: from flags, or from a file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use hubshift_api::pb::concierge as pb;
use hubshift_api::times;
use hubshift_shell::config::humane;
use serde::Deserialize;

use super::FleetArg;
use super::waves::{self, WaveSpec};
use crate::commands::document_file;
use crate::connect::clients::Fleets;
use crate::connect::{Session, parse_fleet};
use crate::exit::CliError;
use crate::output::views::FleetView;

pub(super) const EXAMPLES: &str = "\
Examples:
  hubshift fleet create acme --home east --devices 2000 \\
    --hub east=acme-east.azure-devices.net,north-europe \\
    --hub west=acme-west.azure-devices.net,west-europe,admission=100
  hubshift fleet create --file acme.toml --wave pumps:prefix=pump-,valve-:devices=1000

A file has the same words:
  fleet = \"acme\"
  home_hub = \"east\"
  device_count = 2000
  poll_after = \"1m\"
  [[hubs]]
  hub = \"east\"
  host = \"acme-east.azure-devices.net\"
  region = \"north-europe\"
  admission_per_second = 100
  call_deadline = \"90s\"
  [[waves]]
  name = \"pumps\"
  prefixes = [\"pump-\", \"valve-\"]
  device_count = 1000";

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Take the fleet from this file, TOML or JSON; flags win over it
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// A hub, two or more: SLUG=HOST,REGION and optionally admission=N, deadline=TIME, read-lag=TIME,
    /// service-host=HOST, events=ENDPOINT
    #[arg(long = "hub", value_name = "SLUG=HOST,REGION", value_parser = parse_hub)]
    hubs: Vec<HubSpec>,

    /// Hub that the fleet comes home to; active first
    #[arg(long, value_name = "HUB")]
    home: Option<String>,

    /// Hub that is active first, if it is not the home hub
    #[arg(long, value_name = "HUB")]
    active: Option<String>,

    /// Text for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,

    /// How many devices the fleet has
    #[arg(long, value_name = "N")]
    devices: Option<u64>,

    /// How much of a hub's admission rate a move may use, percent
    #[arg(long, value_name = "PERCENT")]
    utilisation: Option<u32>,

    /// How often devices ask
    #[arg(long, value_name = "TIME", value_parser = humane::parse)]
    poll_after: Option<Duration>,

    /// Devices that go first when the fleet moves, up to 8 times, in order:
    /// NAME:prefix=PREFIX,PREFIX:devices=N or NAME:percent=N
    #[arg(long = "wave", value_name = "WAVE", value_parser = waves::parse)]
    waves: Vec<WaveSpec>,

    /// What devices do when nobody answers
    #[arg(long, value_name = "WORD")]
    on_unreachable: Option<String>,
}

/// A fleet as a file has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct FleetSpec {
    fleet: Option<String>,
    display_name: String,
    home_hub: String,
    active_hub: String,
    device_count: u64,
    utilisation_percent: u32,
    #[serde(with = "optional_time")]
    poll_after: Option<Duration>,
    on_unreachable: String,
    hubs: Vec<HubSpec>,
    waves: Vec<WaveSpec>,
}

/// A hub, of a file or a flag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct HubSpec {
    hub: String,
    region: String,
    host: String,
    service_host: String,
    event_endpoint: String,
    labels: BTreeMap<String, String>,
    admission_per_second: u32,
    #[serde(with = "optional_time")]
    call_deadline: Option<Duration>,
    #[serde(with = "optional_time")]
    read_lag: Option<Duration>,
}

/// Times of a file, `"90s"`; absent ones are left to the service.
mod optional_time {
    use super::{Duration, humane};
    use serde::{Deserialize, Deserializer, de::Error as _};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        let text = String::deserialize(from)?;
        humane::parse(&text).map(Some).map_err(D::Error::custom)
    }
}

pub(super) async fn run(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let named = args.fleet.named_fleet.clone();
    let spec = spec(args)?;
    let fleet_id = match named.as_ref().or(spec.fleet.as_ref()) {
        Some(slug) => parse_fleet(slug)?,
        None => session
            .named_fleet()
            .ok_or_else(|| CliError::usage("name the fleet to create"))?,
    };
    let request = pb::CreateFleetRequest {
        fleet: Some(fleet(&fleet_id.name(), spec)),
        fleet_id: fleet_id.to_string(),
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Fleets::new(c).create_fleet(r).await };
    let created = FleetView::from(session.concierge.call(request, send).await?);
    session.output.show(&created)
}

/// The file, with the flags laid over it.
fn spec(args: CreateArgs) -> Result<FleetSpec, CliError> {
    let mut spec = match &args.file {
        Some(path) => document_file::read(path)?,
        None => FleetSpec::default(),
    };
    if !args.hubs.is_empty() {
        spec.hubs = args.hubs;
    }
    if !args.waves.is_empty() {
        spec.waves = args.waves;
    }
    spec.home_hub = args.home.unwrap_or(spec.home_hub);
    spec.active_hub = args.active.unwrap_or(spec.active_hub);
    spec.display_name = args.display_name.unwrap_or(spec.display_name);
    spec.device_count = args.devices.unwrap_or(spec.device_count);
    spec.utilisation_percent = args.utilisation.unwrap_or(spec.utilisation_percent);
    spec.poll_after = args.poll_after.or(spec.poll_after);
    spec.on_unreachable = args.on_unreachable.unwrap_or(spec.on_unreachable);
    Ok(spec)
}

fn fleet(name: &str, spec: FleetSpec) -> pb::Fleet {
    pb::Fleet {
        name: name.to_owned(),
        display_name: spec.display_name,
        home_hub: spec.home_hub,
        active_hub: spec.active_hub,
        device_count: spec.device_count,
        utilisation_percent: spec.utilisation_percent,
        poll_after: spec.poll_after.map(times::std_duration),
        on_unreachable: spec.on_unreachable,
        waves: spec.waves.into_iter().map(Into::into).collect(),
        hubs: spec.hubs.into_iter().map(|spec| hub(name, spec)).collect(),
        ..Default::default()
    }
}

fn hub(fleet: &str, spec: HubSpec) -> pb::Hub {
    pb::Hub {
        name: format!("{fleet}/hubs/{}", spec.hub),
        region: spec.region,
        host: spec.host,
        service_host: spec.service_host,
        event_endpoint: spec.event_endpoint,
        labels: spec.labels.into_iter().collect(),
        admission_per_second: spec.admission_per_second,
        call_deadline: spec.call_deadline.map(times::std_duration),
        read_lag: spec.read_lag.map(times::std_duration),
        ..Default::default()
    }
}

/// Reads `SLUG=HOST,REGION[,WORD=VALUE…]`.
fn parse_hub(text: &str) -> Result<HubSpec, String> {
    const SHAPE: &str = "write SLUG=HOST,REGION, like east=acme-east.example.com,north-europe";
    let (hub, rest) = text.split_once('=').ok_or(SHAPE)?;
    let mut parts = rest.split(',');
    let (host, region) = (parts.next().ok_or(SHAPE)?, parts.next().ok_or(SHAPE)?);
    if hub.is_empty() || host.is_empty() || region.is_empty() {
        return Err(SHAPE.to_owned());
    }
    let mut spec = HubSpec {
        hub: hub.to_owned(),
        host: host.to_owned(),
        region: region.to_owned(),
        ..HubSpec::default()
    };
    for part in parts {
        set(&mut spec, part)?;
    }
    Ok(spec)
}

fn set(spec: &mut HubSpec, part: &str) -> Result<(), String> {
    let (word, value) = part
        .split_once('=')
        .ok_or(format!("`{part}` is not WORD=VALUE"))?;
    let time = || {
        humane::parse(value)
            .map(Some)
            .map_err(|error| error.to_string())
    };
    match word {
        "admission" => {
            let wrong = |_| format!("`{value}` is not a number of connections per second");
            spec.admission_per_second = value.parse().map_err(wrong)?;
        }
        "deadline" => spec.call_deadline = time()?,
        "read-lag" => spec.read_lag = time()?,
        "service-host" => spec.service_host = value.to_owned(),
        "events" => spec.event_endpoint = value.to_owned(),
        _ => {
            let known = "admission, deadline, read-lag, service-host, events";
            return Err(format!("`{word}` is not one of: {known}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_is_read_with_its_options() {
        let spec =
            parse_hub("east=h.example.com:8443,north-europe,admission=100,deadline=2s").unwrap();
        assert_eq!(spec.host, "h.example.com:8443");
        assert_eq!(spec.admission_per_second, 100);
        assert_eq!(spec.call_deadline, Some(Duration::from_secs(2)));
        let wire = hub("fleets/acme", spec);
        assert_eq!(wire.name, "fleets/acme/hubs/east");
        assert_eq!(wire.read_lag, None);
    }

    #[test]
    fn a_hub_that_is_wrong_says_how_to_write_it() {
        for bad in [
            "east",
            "east=h",
            "=h,r",
            "east=,r",
            "east=h,r,admission=many",
            "east=h,r,x=1",
        ] {
            assert!(parse_hub(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_file_is_read_and_an_unknown_word_refused() {
        let example = EXAMPLES.split("same words:").nth(1).unwrap();
        let example: String = example
            .lines()
            .map(|line| format!("{}\n", line.trim()))
            .collect();
        let spec: FleetSpec = toml::from_str(&example).unwrap();
        assert_eq!(spec.poll_after, Some(Duration::from_secs(60)));
        assert_eq!(spec.hubs[0].admission_per_second, 100);
        let wave = waves::parse("pumps:prefix=pump-,valve-:devices=1000").unwrap();
        assert_eq!(spec.waves, [wave]);
        assert!(toml::from_str::<FleetSpec>("devices = 5").is_err());
    }
}
