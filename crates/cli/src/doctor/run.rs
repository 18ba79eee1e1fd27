//! Looks at both hubs, compares, asks again where listings may be old, and reports.

use std::sync::Arc;

use hubshift_azure::Secret;
use hubshift_domain::seeding::Work;
use hubshift_hub::budget::{BudgetSettings, LocalBudget};
use hubshift_hub::{AzureHub, AzureSettings, HubError};
use hubshift_registry_sync::SecretRef;
use hubshift_survey::{
    Comparison, Quota, Reading, Side, SurveyError, compare, confirm, keys_differ, look, losses,
    storage_access, times,
};

use super::args::{DoctorArgs, TierUnits};
use super::report::{Finding, HubReport, KeyCheck, Report};
use crate::exit::CliError;
use crate::output::{Output, Progress};

/// Reports, and ends badly where something must be decided before a standby can be made.
pub(crate) async fn run(args: DoctorArgs, output: Output) -> Result<(), CliError> {
    let mut progress = output.progress();
    let report = Box::pin(survey(&args, &mut progress)).await?;
    drop(progress);
    output.show(&report)?;
    match report.decisions.len() {
        0 => Ok(()),
        count => Err(CliError::ended_badly(
            "DECISIONS_NEEDED",
            format!("{count} things are to be decided before the target can follow"),
        )),
    }
}

async fn survey(args: &DoctorArgs, progress: &mut Progress) -> Result<Report, CliError> {
    let share = f64::from(args.share) / 100.0;
    let source = open(
        &args.source,
        args.source_ca.as_ref(),
        args.source_tier,
        share,
    )?;
    let target = open(
        &args.target,
        args.target_ca.as_ref(),
        Some(args.target_tier),
        share,
    )?;
    let here = read(&source, "source", progress).await?;
    let there = read(&target, "target", progress).await?;
    let mut comparison = compare(&here.side, &there.side);
    progress.step("asking both hubs again for what seems to differ");
    let checked = confirm(&mut comparison, &source.hub, &target.hub, args.confirm);
    let checked = checked.await.map_err(|error| failed("both hubs", &error))?;
    progress.step("comparing keys");
    let sample = sample(&here.side, &comparison, args.sample);
    let differing = keys_differ(&sample, &source.hub, &target.hub);
    let differing = differing
        .await
        .map_err(|error| failed("both hubs", &error))?;
    let storage = args.job_container.as_ref().map(secret).transpose()?;
    let storage = storage.as_ref().map(storage_access);
    let devices = here.side.keys().filter(|key| !key.contains('/')).count() as u64;
    let with_jobs = storage
        .as_ref()
        .is_some_and(|access| access.lacks.is_empty());
    let quota = Quota {
        tier: args.target_tier.tier,
        units: args.target_tier.units,
        share,
    };
    let times = times(&work(&comparison), devices, quota, with_jobs);
    let keys = KeyCheck {
        compared: sample.len() as u64,
        differing,
    };
    let (source, target) = (report(source, &here), report(target, &there));
    let losses = losses(&here.side, &here.facts);
    Ok(Report::new(
        Finding {
            source,
            target,
            comparison,
            checked,
            keys,
            storage,
            losses,
            times,
        },
        args.confirm,
    ))
}

/// A hub that can be asked.
struct Opened {
    host: String,
    hub: AzureHub,
}

fn open(
    reference: &SecretRef,
    ca: Option<&SecretRef>,
    tier: Option<TierUnits>,
    share: f64,
) -> Result<Opened, CliError> {
    let text = secret(reference)?;
    let connection: hubshift_azure::HubConnection = text
        .expose()
        .parse()
        .map_err(|error| CliError::usage(format!("{reference}: {error}")))?;
    let budget = BudgetSettings {
        tier: tier.map(|tier| tier.tier),
        units: tier.map_or(1, |tier| tier.units),
        share,
        ..BudgetSettings::default()
    };
    let ca_pem = ca.map(secret).transpose()?;
    let settings = AzureSettings {
        ca_pem: ca_pem.map(|pem| pem.expose().to_owned()),
        budget: Arc::new(LocalBudget::new(&budget)),
        ..AzureSettings::of(&connection)
    };
    let host = settings.host.clone();
    let hub = AzureHub::new(settings).map_err(|error| CliError::usage(error.to_string()))?;
    Ok(Opened { host, hub })
}

fn secret(reference: &SecretRef) -> Result<Secret, CliError> {
    let text = reference.read();
    text.map(Secret::from)
        .map_err(|error| CliError::usage(error.to_string()))
}

async fn read(opened: &Opened, side: &str, progress: &mut Progress) -> Result<Reading, CliError> {
    let progress = std::cell::RefCell::new(progress);
    let tell = |count: usize| {
        let text = format!(
            "reading the {side}, {}: {count} devices and modules",
            opened.host
        );
        progress.borrow_mut().step(text);
    };
    look(&opened.hub, tell).await.map_err(|error| match error {
        SurveyError::Hub { what, source } => failed(&format!("{}, {what}", opened.host), &source),
        SurveyError::Unreadable => {
            CliError::ended_badly("HUB_UNREADABLE", format!("{}: {error}", opened.host))
        }
    })
}

fn failed(what: &str, error: &HubError) -> CliError {
    CliError::ended_badly("HUB_UNREACHABLE", format!("{what}: {error}"))
}

fn report(opened: Opened, reading: &Reading) -> HubReport {
    HubReport {
        host: opened.host,
        facts: reading.facts.clone(),
    }
}

/// Devices to compare keys of: of those that seem equal, evenly over all ids.
fn sample(side: &Side, comparison: &Comparison, size: usize) -> Vec<String> {
    let is_settled = |key: &&String| {
        comparison.missing.binary_search(*key).is_err()
            && !comparison.different.iter().any(|found| found.key == **key)
    };
    let equal: Vec<&String> = side.keys().filter(is_settled).collect();
    let step = equal.len().div_ceil(size.max(1)).max(1);
    let sample = equal.into_iter().step_by(step).take(size);
    sample.cloned().collect()
}

fn work(comparison: &Comparison) -> Work {
    Work {
        creates: comparison.missing.len() as u64,
        updates: comparison.different.len() as u64,
        deletes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_over_all_ids_and_never_larger_than_asked() {
        let side = Side::new();
        assert!(sample(&side, &Comparison::default(), 10).is_empty());
    }
}
