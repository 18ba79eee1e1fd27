//! The devices that a world starts with: from an Azure export file, or made up.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, bail};
use hubshift_azure::{
    Authentication, BulkResult, Capabilities, ExportImportDevice, ImportMode, Properties, Secret,
    Status, api_version, export_line, sas,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use crate::exit::CliError;
use crate::world::EmulatedHub;

/// The sample that ships with the repository.
const SAMPLE: &str = include_str!("../../../../samples/devices.txt");

/// Where the devices come from.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct SeedArgs {
    /// Azure export file to load, one JSON object a line [default: the shipped sample]
    #[arg(long, value_name = "FILE", conflicts_with = "devices")]
    pub(crate) input: Option<PathBuf>,

    /// Make up this many devices instead
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) devices: Option<u32>,
}

/// Reads or makes the devices. A malformed file is refused whole, every bad line named.
pub(crate) fn devices(args: &SeedArgs) -> anyhow::Result<Vec<ExportImportDevice>> {
    read(args).map_err(|error| CliError::usage(format!("{error:#}")).into())
}

fn read(args: &SeedArgs) -> anyhow::Result<Vec<ExportImportDevice>> {
    match (&args.input, args.devices) {
        (_, Some(count)) => (1..=count).map(made_up).collect(),
        (Some(path), None) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            parse(&text).with_context(|| format!("{} was not loaded", path.display()))
        }
        (None, None) => parse(SAMPLE),
    }
}

fn parse(text: &str) -> anyhow::Result<Vec<ExportImportDevice>> {
    match export_line::parse_file(text) {
        Ok(file) if file.notice.is_some() => {
            bail!("the file was exported without keys; export it with excludeKeysInExport=false")
        }
        Ok(file) => Ok(file
            .devices
            .into_iter()
            .filter(|d| d.module_id.is_none())
            .collect()),
        Err(errors) => {
            let lines: Vec<String> = errors.iter().take(20).map(ToString::to_string).collect();
            bail!(
                "{} bad lines; no device was loaded\n{}",
                errors.len(),
                lines.join("\n")
            )
        }
    }
}

/// The mix of a real fleet: mostly keys, some certificates, a few disabled.
fn made_up(number: u32) -> anyhow::Result<ExportImportDevice> {
    let (authentication, kind) = match number % 20 {
        7 => (
            Authentication::self_signed(thumbprint(number, 'A'), None),
            "gateway",
        ),
        13 => (Authentication::certificate_authority(), "meter"),
        _ => (
            Authentication::sas(Secret::generate()?, Secret::generate()?),
            "thermostat",
        ),
    };
    let disabled = number.is_multiple_of(50);
    let site = format!("site-{}", number % 12);
    Ok(ExportImportDevice {
        id: format!("{kind}-{number:04}"),
        status: Some(if disabled {
            Status::Disabled
        } else {
            Status::Enabled
        }),
        status_reason: disabled.then(|| "returned to the workshop".to_owned()),
        authentication: Some(authentication),
        tags: Some(object(
            json!({"site": site, "floor": number % 5, "kind": kind}),
        )),
        properties: Some(Properties {
            desired: Some(object(
                json!({"interval": 30 + number % 4 * 10, "unit": "C"}),
            )),
            reported: None,
        }),
        capabilities: Some(Capabilities { iot_edge: false }),
        ..ExportImportDevice::default()
    })
}

fn thumbprint(number: u32, fill: char) -> String {
    let tail = format!("{number:08X}");
    format!("{}{tail}", fill.to_string().repeat(40 - tail.len()))
}

/// A JSON object's members.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Creates the devices at a hub as an import tool would, 100 a call. Those that are there already
/// are left alone. Returns how many were created.
pub(crate) async fn load(
    hub: &EmulatedHub,
    devices: &[ExportImportDevice],
) -> anyhow::Result<usize> {
    let client = client(hub)?;
    let url = format!(
        "https://{}/devices?api-version={}",
        hub.host(),
        api_version::SENT
    );
    let mut created = 0;
    for chunk in devices.chunks(100) {
        let mut entries = chunk.to_vec();
        for entry in &mut entries {
            entry.import_mode = Some(ImportMode::Create);
            (entry.etag, entry.twin_etag) = (None, None);
        }
        let answer = client
            .post(&url)
            .header("Authorization", token(hub)?.expose())
            .json(&entries)
            .send()
            .await?;
        let result: BulkResult = answer
            .json()
            .await
            .context("the hub did not take the devices")?;
        let taken = |error: &&hubshift_azure::BulkError| error.error_code != "DeviceAlreadyExists";
        if let Some(error) = result.errors.iter().find(taken) {
            bail!(
                "device {} was refused: {}",
                error.device_id,
                error.error_code
            );
        }
        created += chunk.len() - result.errors.len();
    }
    Ok(created)
}

/// A client that trusts the hub.
fn client(hub: &EmulatedHub) -> anyhow::Result<reqwest::Client> {
    let ca = reqwest::Certificate::from_pem(&fs::read(hub.ca_file())?)?;
    Ok(reqwest::Client::builder()
        .add_root_certificate(ca)
        .build()?)
}

fn token(hub: &EmulatedHub) -> anyhow::Result<Secret> {
    let expiry = OffsetDateTime::now_utc() + time::Duration::minutes(5);
    Ok(sas::token(
        &hub.host(),
        &Secret::new(hub.policy_key()),
        Some(hub.policy()),
        expiry,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_every_kind_and_a_bad_line_is_named() {
        let devices = devices(&SeedArgs::default()).unwrap();
        assert!(devices.len() >= 100);
        assert!(devices.iter().any(|d| d.status == Some(Status::Disabled)));
        let kinds: std::collections::HashSet<String> = devices
            .iter()
            .filter_map(|d| Some(format!("{:?}", d.authentication.as_ref()?.kind)))
            .collect();
        assert_eq!(kinds.len(), 3, "{kinds:?}");
        let error = parse(&format!(
            "{}\n{{\"id\":\"x\"",
            SAMPLE.lines().next().unwrap()
        ))
        .unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
