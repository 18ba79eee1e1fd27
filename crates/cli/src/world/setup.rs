//! Starts a world's processes in their order, and makes its fleet.

use std::time::Duration;

use anyhow::Context as _;
use hubshift_api::{pb, times};
use hubshift_shell::grpc::{self, GrpcChannel};
use hubshift_shell::tls::DevAuthority;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use super::config::{self, ConfigFiles};
use super::database::WorldDatabase;
use super::hub::{EmulatedHub, HubSide};
use super::layout::Layout;
use super::process::{Recipe, Supervised};

/// The fleet of a world.
pub(crate) const FLEET: &str = "acme";

/// Everything that runs.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) layout: Layout,
    pub(crate) east: EmulatedHub,
    pub(crate) west: EmulatedHub,
    pub(crate) services: [Supervised; 3],
    database: WorldDatabase,
}

impl World {
    /// Starts everything and waits until it serves. A throw-away world keeps nothing.
    pub(crate) async fn start(layout: Layout, ephemeral: bool) -> anyhow::Result<Self> {
        let database = WorldDatabase::start(&layout, ephemeral).await?;
        let east = EmulatedHub::start(&layout, HubSide::East).await?;
        let west = EmulatedHub::start(&layout, HubSide::West).await?;
        let authority = DevAuthority::open_or_create(&layout.path("tls/concierge"))?;
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let tls = authority.issue("concierge", &names)?;
        let files = config::write(&layout, &database, tls)?;
        let services = start_services(&layout, &files)?;
        let world = Self {
            layout,
            east,
            west,
            services,
            database,
        };
        world.wait_until_serving().await?;
        Ok(world)
    }

    /// A channel to the concierge's operator listener.
    pub(crate) fn concierge(&self) -> anyhow::Result<GrpcChannel> {
        channel(&self.layout.operator_url())
    }

    /// A channel to registry-sync.
    pub(crate) fn registry(&self) -> anyhow::Result<GrpcChannel> {
        channel(&self.layout.registry_url())
    }

    /// A channel to merge.
    pub(crate) fn merge(&self) -> anyhow::Result<GrpcChannel> {
        channel(&self.layout.merge_url())
    }

    /// The certificate authority of the concierge's listener for devices.
    pub(crate) fn public_ca(&self) -> std::path::PathBuf {
        self.layout.path("tls/concierge/ca.pem")
    }

    async fn wait_until_serving(&self) -> anyhow::Result<()> {
        let layout = &self.layout;
        for url in [
            layout.registry_url(),
            layout.merge_url(),
            layout.operator_url(),
        ] {
            let channel = channel(&url)?;
            wait_healthy(channel).await.with_context(|| {
                format!("{url} does not serve; see {}/logs", layout.root().display())
            })?;
        }
        Ok(())
    }

    /// Makes the fleet and connects its hubs; `false` when that was done before.
    pub(crate) async fn adopt_fleet(&self, device_count: u64) -> anyhow::Result<bool> {
        let mut fleets =
            pb::concierge::fleet_service_client::FleetServiceClient::new(self.concierge()?);
        let request = pb::concierge::CreateFleetRequest {
            fleet_id: FLEET.into(),
            fleet: Some(self.fleet(device_count)),
            request_id: Uuid::now_v7().to_string(),
        };
        match fleets.create_fleet(request).await {
            Ok(_) => {}
            Err(status) if hubshift_api::fault::reason(&status) == "FLEET_EXISTS" => {
                return Ok(false);
            }
            Err(status) => return Err(status.into()),
        }
        for hub in [&self.east, &self.west] {
            self.connect(hub).await?;
        }
        Ok(true)
    }

    fn fleet(&self, device_count: u64) -> pb::concierge::Fleet {
        let tuning = &self.layout.tuning;
        let hub = |hub: &EmulatedHub, region: &str| pb::concierge::Hub {
            name: format!("fleets/{FLEET}/hubs/{}", hub.side().slug()),
            region: region.into(),
            host: hub.host(),
            admission_per_second: tuning.admission_per_second,
            call_deadline: Some(times::std_duration(tuning.call_deadline)),
            ..Default::default()
        };
        pb::concierge::Fleet {
            display_name: "The demo's fleet".into(),
            home_hub: "east".into(),
            hubs: vec![hub(&self.east, "east"), hub(&self.west, "west")],
            device_count,
            utilisation_percent: 80,
            poll_after: Some(times::std_duration(tuning.poll)),
            ..Default::default()
        }
    }

    async fn connect(&self, hub: &EmulatedHub) -> anyhow::Result<()> {
        let mut connections =
            pb::registry::connection_service_client::ConnectionServiceClient::new(self.registry()?);
        let connection = pb::registry::Connection {
            name: format!("fleets/{FLEET}/hubs/{}/connection", hub.side().slug()),
            adapter: "azure".into(),
            secret_ref: hub.secret_ref(),
            ca_ref: format!("file:{}", hub.ca_file().display()),
            ..Default::default()
        };
        let request = pb::registry::UpdateConnectionRequest {
            connection: Some(connection),
            request_id: Uuid::now_v7().to_string(),
            skip_test: false,
        };
        connections.update_connection(request).await?;
        Ok(())
    }

    /// Stops everything, the services first.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        for service in &self.services {
            service.stop().await;
        }
        self.east.power_off().await;
        self.west.power_off().await;
        self.database.stop().await
    }
}

fn start_services(layout: &Layout, files: &ConfigFiles) -> anyhow::Result<[Supervised; 3]> {
    let start = |name: &'static str, file: &std::path::Path| {
        let args = ["service", name, "--config", &file.display().to_string()].map(String::from);
        let log = layout.path(&format!("logs/{name}.log"));
        Supervised::start(Recipe {
            name,
            args: args.into(),
            log,
        })
    };
    Ok([
        start("registry-sync", &files.registry_sync)?,
        start("merge", &files.merge)?,
        start("concierge", &files.concierge)?,
    ])
}

fn channel(url: &str) -> anyhow::Result<GrpcChannel> {
    let endpoint = grpc::Endpoint {
        url: url.to_owned(),
        tls: None,
        timeout: Duration::from_secs(10),
    };
    Ok(grpc::channel(&endpoint)?)
}

/// Asks until the service says that it serves, for at most twenty seconds.
async fn wait_healthy(channel: GrpcChannel) -> anyhow::Result<()> {
    const SERVING: i32 = 1;
    let mut health = HealthClient::new(channel);
    let mut last = String::new();
    for _ in 0..200 {
        let request = HealthCheckRequest {
            service: String::new(),
        };
        match health.check(request).await {
            Ok(answer) if answer.get_ref().status == SERVING => return Ok(()),
            Ok(_) => last = "it says NOT_SERVING".into(),
            Err(status) => last = status.message().to_owned(),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{last}")
}
