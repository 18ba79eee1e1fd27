//! What a pass would do and how long that would take, before anybody starts it.
//!
//! Writes nothing. What was not read yet is not known: it is counted by the hubs, and what the
//! authority counts beyond its standby is assumed to be lacking there. The plan says so.

use std::time::Duration;

use hubshift_azure::quota::{JOB_DEVICES_PER_SECOND, OperationClass};
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::seeding::{self, Estimate, Speed, Work, estimate_of};
use hubshift_store::StoreError;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::FleetView;
use crate::budget::{self, Lane};
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::store;
use crate::store::connection::ConnectionRow;
use crate::store::plan::Tally;
use crate::workflows::report::count;

/// A hub that does not count its devices within this time is planned without it.
const COUNT_LIMIT: Duration = Duration::from_secs(5);
/// Devices on a page of a listing.
const PAGE: u64 = 1000;
/// The classes of calls that a pass makes.
const CLASSES: [OperationClass; 4] = [
    OperationClass::Registry,
    OperationClass::Query,
    OperationClass::TwinRead,
    OperationClass::TwinWrite,
];

/// A plan.
#[derive(Debug, Clone)]
pub(crate) struct PassPlan {
    /// When the hub was last looked at whose look is older.
    pub(crate) as_of: Option<OffsetDateTime>,
    pub(crate) work: Work,
    pub(crate) unchanged: u64,
    pub(crate) extras: u64,
    pub(crate) unknowns: Vec<String>,
    /// How long it takes to read what was not read yet; nothing where no limit is known.
    pub(crate) reading: Option<Duration>,
    pub(crate) estimate: Estimate,
    pub(crate) limits: Vec<Limit>,
}

/// Calls of a class at a hub, and how many may be made a second.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limit {
    pub(crate) hub: HubId,
    pub(crate) class: &'static str,
    pub(crate) calls: u64,
    /// Nothing where no limit is known.
    pub(crate) rate: Option<f64>,
}

/// A hub as the plan sees it.
#[derive(Debug, Clone)]
struct Side {
    hub: HubId,
    /// Devices that were read.
    seen: u64,
    /// Devices that the hub counts, or why it does not.
    counted: Result<u64, String>,
    /// In the order of [`CLASSES`].
    rates: Rates,
    has_jobs: bool,
}

/// Calls per second, in the order of [`CLASSES`]; nothing where no limit is known.
type Rates = [Option<f64>; 4];

/// Plans a pass from the active hub to a standby.
///
/// # Errors
/// A hub has no connection, or the database failed.
pub(crate) async fn plan(
    deps: &Deps,
    view: &FleetView,
    target: &HubId,
) -> Result<PassPlan, HubsError> {
    let (pool, fleet, source) = (&deps.pool, view.fleet.as_str(), &view.active_hub);
    let tally = store::plan::tally(pool, fleet, source.as_str(), target.as_str()).await?;
    let (here, there) = tokio::join!(
        Box::pin(side(deps, &view.fleet, source, tally.source)),
        Box::pin(side(deps, &view.fleet, target, tally.target)),
    );
    let mut there = there?;
    // No job is begun at a hub that a move may go to at any time.
    let state = view.hub(target).map(|hub| hub.state);
    there.has_jobs &= state == Some(HubState::Syncing);
    let mut times = Vec::new();
    for hub in [source, target] {
        let looks = store::plan::looks(pool, fleet, hub.as_str()).await?;
        times.push(looks.scan_id.and_then(scan_time).max(looks.read_time));
    }
    let as_of = times.into_iter().collect::<Option<Vec<_>>>();
    let as_of = as_of.and_then(|times| times.into_iter().min());
    Ok(judge(tally, &here?, &there, as_of))
}

/// How long it takes to bring a standby up to date that can run jobs, both hubs having been read.
///
/// # Errors
/// The standby has no connection, or the database failed.
pub(crate) async fn way(
    deps: &Deps,
    fleet: &FleetId,
    source: &HubId,
    target: &HubId,
) -> Result<Estimate, HubsError> {
    let row = deps.hubs.row(fleet, target).await?;
    let rates = rates(deps, fleet, &row).await?;
    let (source, target) = (source.as_str(), target.as_str());
    let tally = store::plan::tally(&deps.pool, fleet.as_str(), source, target).await?;
    let seedable = count(tally.seedable);
    Ok(estimate_of(
        &work(&tally, 0),
        seedable,
        &speed(&rates, true),
    ))
}

fn work(tally: &Tally, assumed: u64) -> Work {
    Work {
        creates: count(tally.creates).saturating_add(assumed),
        updates: count(tally.updates),
        deletes: count(tally.deletes),
    }
}

async fn side(deps: &Deps, fleet: &FleetId, hub: &HubId, seen: i64) -> Result<Side, HubsError> {
    let row = deps.hubs.row(fleet, hub).await?;
    Ok(Side {
        hub: hub.clone(),
        seen: count(seen),
        counted: counted(deps, fleet, hub).await,
        rates: rates(deps, fleet, &row).await?,
        has_jobs: !row.job_container_ref.is_empty(),
    })
}

/// How fast a hub may be called now.
async fn rates(deps: &Deps, fleet: &FleetId, row: &ConnectionRow) -> Result<Rates, StoreError> {
    let speed = deps.config.hub_budget_speed;
    let settings = budget::settings(&row.allowance(), speed)?;
    let names = CLASSES.map(|class| class.as_str().to_owned());
    let whole = CLASSES.map(|class| settings.per_second(class).unwrap_or(0.0));
    let (pool, recovery) = (&deps.pool, budget::recovery(speed));
    let (id, hub_id) = (fleet.as_str(), row.hub_id.as_str());
    let rates = store::budget::rates(pool, id, hub_id, &names, &whole, recovery).await?;
    Ok(std::array::from_fn(|place| {
        rates.get(place).copied().flatten()
    }))
}

fn rate(rates: &Rates, place: usize) -> f64 {
    rates[place].unwrap_or(f64::INFINITY)
}

fn speed(rates: &Rates, has_jobs: bool) -> Speed {
    Speed {
        registry: rate(rates, 0),
        twin_reads: rate(rates, 2),
        twin_writes: rate(rates, 3),
        job_devices: has_jobs.then_some(JOB_DEVICES_PER_SECOND),
    }
}

/// How many devices a hub counts, or why it does not say.
async fn counted(deps: &Deps, fleet: &FleetId, hub: &HubId) -> Result<u64, String> {
    let ask = async {
        let hub = deps.hubs.get(fleet, hub, Lane::Person).await;
        let hub = hub.map_err(|error| error.to_string())?;
        let counts = hub.statistics().await.into_result();
        counts.map_err(|error| error.to_string())
    };
    match tokio::time::timeout(COUNT_LIMIT, ask).await {
        Ok(counts) => counts.map(|counts| counts.total),
        Err(_) => Err("no answer in time".to_owned()),
    }
}

/// The time that a scan's id holds.
fn scan_time(scan: Uuid) -> Option<OffsetDateTime> {
    let (seconds, nanos) = scan.get_timestamp()?.to_unix();
    let seconds = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    Some(seconds + Duration::from_nanos(u64::from(nanos)))
}

fn judge(tally: Tally, source: &Side, target: &Side, as_of: Option<OffsetDateTime>) -> PassPlan {
    // What neither was read of is taken to be the same devices.
    let assumed = source.unread().saturating_sub(target.unread());
    let work = work(&tally, assumed);
    let seedable = count(tally.seedable).saturating_add(assumed);
    let mut unknowns: Vec<String> = [source, target]
        .into_iter()
        .filter_map(Side::unknown)
        .collect();
    if assumed > 0 {
        unknowns.push(format!(
            "{assumed} of the devices to be made are assumed, not seen"
        ));
    }
    let mut limits = source.limits(&Work::default());
    limits.extend(target.limits(&work));
    PassPlan {
        as_of,
        work,
        unchanged: count(tally.unchanged),
        extras: count(tally.extras),
        unknowns,
        reading: reading(source, target),
        estimate: estimate_of(&work, seedable, &target.speed()),
        limits,
    }
}

/// One hub is read after the other.
fn reading(source: &Side, target: &Side) -> Option<Duration> {
    let is_limited = source.is_read_within_limits() || target.is_read_within_limits();
    is_limited.then(|| source.reading().saturating_add(target.reading()))
}

impl PassPlan {
    /// All of it in words.
    pub(crate) fn text(&self) -> String {
        match self.reading {
            Some(reading) if reading >= Duration::from_secs(1) => format!(
                "{}; {} of reading come first",
                self.estimate,
                seeding::words(reading)
            ),
            _ => self.estimate.to_string(),
        }
    }
}

impl Side {
    /// Devices that the hub counts beyond what was read of it.
    fn unread(&self) -> u64 {
        let counted = self.counted.as_ref().copied().unwrap_or(self.seen);
        counted.saturating_sub(self.seen)
    }

    fn unknown(&self) -> Option<String> {
        let hub = &self.hub;
        match (&self.counted, self.seen, self.unread()) {
            (Ok(_), _, 0) => None,
            (Ok(counted), 0, _) => Some(format!(
                "{hub} was not read yet; it counts {counted} devices"
            )),
            (Ok(counted), _, unread) => Some(format!(
                "{hub} counts {counted} devices, of which {unread} were not read yet"
            )),
            (Err(why), 0, _) => Some(format!(
                "{hub} was not read yet, and does not say how many devices it has: {why}"
            )),
            (Err(why), _, _) => Some(format!("{hub} does not say how many devices it has: {why}")),
        }
    }

    /// Whether any limit is known of the classes that reading takes.
    fn is_read_within_limits(&self) -> bool {
        self.rates[..3].iter().any(Option::is_some)
    }

    fn pages(&self) -> u64 {
        self.seen
            .saturating_add(self.unread())
            .div_ceil(PAGE)
            .max(1)
    }

    fn speed(&self) -> Speed {
        speed(&self.rates, self.has_jobs)
    }

    fn reading(&self) -> Duration {
        let listing = seeding::time(self.pages(), rate(&self.rates, 1));
        listing.max(seeding::reading(self.unread(), &self.speed()))
    }

    /// What is read of the hub, and written to it.
    fn limits(&self, work: &Work) -> Vec<Limit> {
        let twins = work.creates.saturating_add(work.updates);
        let identities = twins.saturating_add(work.deletes);
        // A new twin is read before it is written: it has its first etag from there.
        let calls = [
            identities.saturating_add(self.unread()),
            self.pages(),
            work.creates.saturating_add(self.unread()),
            twins,
        ];
        let limits = CLASSES.into_iter().zip(calls).zip(self.rates);
        let limits = limits.map(|((class, calls), rate)| Limit {
            hub: self.hub.clone(),
            class: class.as_str(),
            calls,
            rate,
        });
        limits.filter(|limit| limit.calls > 0).collect()
    }
}

#[cfg(test)]
mod tests;
