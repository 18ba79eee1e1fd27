//! The story: chapter by chapter, each in a file of its own.

mod audit;
mod baseline;
mod home;
mod lag;
mod moves;
mod stranded;
mod west_life;

use std::time::Instant;

use hubshift_azure::ExportImportDevice;
use time::OffsetDateTime;

use super::args::EastReturns;
use super::backend::{BackEnd, Footing};
use super::chaos::Monkey;
use super::devices::SimulatedFleet;
use super::direct::Direct;
use super::ledger::Ledger;
use super::operator::Operator;
use super::own_store::OwnStore;
use super::report::Report;
use crate::world::World;

/// Everything that the chapters share.
pub(crate) struct Story {
    world: World,
    seeds: Vec<ExportImportDevice>,
    returns: EastReturns,
    monkey: Monkey,
    operator: Operator,
    back_end: BackEnd,
    own_store: OwnStore,
    own_store_url: String,
    east: Direct,
    west: Direct,
    fleet: SimulatedFleet,
    ledger: Ledger,
    report: Report,
    /// The footing of a back end that lived by east until it died, and hears of it late.
    old_footing: Option<Footing>,
    /// When the east hub died.
    death: Option<OffsetDateTime>,
    started: Instant,
}

impl Story {
    /// Loads the fleet into the east hub and starts its devices.
    pub(crate) async fn begin(
        world: World,
        seeds: Vec<ExportImportDevice>,
        returns: EastReturns,
        monkey: Monkey,
    ) -> anyhow::Result<Self> {
        let operator = Operator::of(&world)?;
        let back_end = BackEnd::of(&world)?;
        let (east, west) = (Direct::to(&world.east)?, Direct::to(&world.west)?);
        let own_store = OwnStore::default();
        let own_store_url = format!("http://{}", own_store.serve().await?);
        super::seed::load(&world.east, &seeds).await?;
        world.adopt_fleet(seeds.len() as u64).await?;
        let fleet = SimulatedFleet::start(&world, &seeds).await?;
        let report = Report {
            east_returns: returns.as_str(),
            devices: seeds.len(),
            ..Report::default()
        };
        Ok(Self {
            world,
            seeds,
            returns,
            monkey,
            operator,
            back_end,
            own_store,
            own_store_url,
            east,
            west,
            fleet,
            ledger: Ledger::default(),
            report,
            old_footing: None,
            death: None,
            started: Instant::now(),
        })
    }

    /// Tells it.
    pub(crate) async fn tell(&mut self) -> anyhow::Result<()> {
        self.say(&format!("{} devices live at east", self.seeds.len()));
        self.baseline().await?;
        self.there_and_back().await?;
        self.everyday().await?;
        self.strand().await?;
        self.east_dies().await?;
        self.forced().await?;
        self.live_at_west().await?;
        if self.returns != EastReturns::Never {
            self.east_returns().await?;
            self.merge().await?;
            self.go_home().await?;
        }
        self.audit().await
    }

    /// Gives the world back, with the report.
    pub(crate) fn end(self) -> (World, Report) {
        (self.world, self.report)
    }

    fn say(&self, text: &str) {
        eprintln!("{:>6.1} s  {text}", self.started.elapsed().as_secs_f64());
    }
}
