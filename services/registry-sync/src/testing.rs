//! A small world for tests: a database, two emulated hubs, and a fleet that has them.

mod narrow;

use std::sync::Arc;
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::Purpose;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_emulator::{Emulator, Options, Running};
use hubshift_hub::{Credentials, Secret};
use hubshift_testkit::pg::{Database, Role};
use serde_json::json;
use sqlx::PgPool;
use tempfile::TempDir;

use crate::authority::{self, FleetView};
use crate::config::Config;
use crate::deps::Deps;
use crate::hubs::{AZURE, Hubs};
use crate::seal::{Kek, Keyring};
use crate::store;
use crate::store::connection::{Allowance, NewConnection};
use crate::write::{Wanted, WriteCx};

pub(crate) use narrow::{NARROW_PAUSE, Narrow};

/// The epoch in which east reigns at first: hub 0 of 1024.
pub(crate) const EAST_REIGNS: i64 = 1024;

/// A fleet `acme` with its active hub `east` and its standby `west`.
pub(crate) struct World {
    pub(crate) deps: Arc<Deps>,
    pub(crate) admin: PgPool,
    pub(crate) east: Running,
    pub(crate) west: Running,
    pub(crate) fleet: FleetId,
    _files: TempDir,
    _database: Database,
}

impl World {
    /// A world in which a call may take `call_deadline`.
    pub(crate) async fn with_deadline(call_deadline: Duration) -> Self {
        let database = Database::fresh().await.unwrap();
        let admin = database.connect(Role::Superuser).await.unwrap();
        let pool = database.connect(Role::Registry).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let world = Self {
            deps: Arc::new(deps(pool)),
            admin,
            east: emulator().await,
            west: emulator().await,
            fleet: FleetId::new("acme").unwrap(),
            _files: files,
            _database: database,
        };
        world.settle_in(call_deadline).await;
        world
    }

    /// A world in which calls have time.
    pub(crate) async fn new() -> Self {
        Self::with_deadline(Duration::from_secs(30)).await
    }

    async fn settle_in(&self, call_deadline: Duration) {
        sqlx::query(
            "insert into authority.fleet (fleet_id, epoch, active_hub_id) values ('acme', $1, 'east')",
        )
        .bind(EAST_REIGNS)
        .execute(&self.admin)
        .await
        .unwrap();
        for (index, name, state) in [(0i16, "east", "active"), (1, "west", "ready")] {
            sqlx::query(
                "insert into authority.hub
                     (fleet_id, hub_id, hub_index, state, last_active_epoch, call_deadline_ms)
                 values ('acme', $1, $2, $3, 0, $4)",
            )
            .bind(name)
            .bind(index)
            .bind(state)
            .bind(i64::try_from(call_deadline.as_millis()).unwrap())
            .execute(&self.admin)
            .await
            .unwrap();
        }
        self.connect("east", &self.east).await;
        self.connect("west", &self.west).await;
    }

    async fn connect(&self, name: &str, hub: &Running) {
        let secret = hub.connection_string().expose();
        self.connect_with(name, hub, &secret, &Allowance::default())
            .await;
    }

    /// East is a large hub, and the messages that its queries may cost today are spent.
    pub(crate) async fn spend_the_day_at_east(&self) {
        let secret = self.east.connection_string().expose();
        let allowance = Allowance {
            tier: "S3".into(),
            ..Allowance::default()
        };
        self.connect_with("east", &self.east, &secret, &allowance)
            .await;
        sqlx::query(
            "insert into registry.budget (fleet_id, hub_id, class, next_time, messages_spent)
             values ('acme', 'east', 'query', clock_timestamp(), 1000000000)",
        )
        .execute(&self.admin)
        .await
        .unwrap();
    }

    /// West is entered with a token of Entra ID from now on. There is nobody who gives one.
    pub(crate) async fn enter_west_by_token(&self) {
        let secret = format!(
            "HostName={};Authentication=ClientSecret;TenantId=t;ClientId=c;ClientSecret=s;\
             AuthorityHost=https://127.0.0.1:1",
            self.west.host
        );
        self.connect_with("west", &self.west, &secret, &Allowance::default())
            .await;
    }

    async fn connect_with(&self, name: &str, hub: &Running, text: &str, allowance: &Allowance) {
        let secret = self._files.path().join(format!("{name}.secret"));
        let ca = self._files.path().join(format!("{name}.pem"));
        std::fs::write(&secret, text).unwrap();
        std::fs::write(&ca, &hub.ca_pem).unwrap();
        let new = NewConnection {
            adapter: AZURE,
            secret_ref: &format!("file:{}", secret.display()),
            ca_ref: &format!("file:{}", ca.display()),
            host: &hub.host,
            allowance,
            job_container_ref: "",
            management_ref: "",
            without_modules: false,
            without_configurations: false,
        };
        store::connection::put(&self.deps.pool, "acme", name, &new)
            .await
            .unwrap();
    }

    /// The fleet as it is.
    pub(crate) async fn view(&self) -> FleetView {
        authority::fleet(&self.deps.pool, &self.fleet)
            .await
            .unwrap()
            .unwrap()
    }

    /// What a write to a hub needs.
    pub(crate) async fn writer(&self, hub: &str, purpose: Purpose) -> WriteCx {
        let hub = HubId::new(hub).unwrap();
        self.deps
            .writer(&self.view().await, &hub, purpose)
            .await
            .unwrap()
    }

    /// Says what a hub is to the fleet.
    pub(crate) async fn set_state(&self, hub: &str, state: &str) {
        sqlx::query("update authority.hub set state = $2 where fleet_id = 'acme' and hub_id = $1")
            .bind(hub)
            .bind(state)
            .execute(&self.admin)
            .await
            .unwrap();
    }

    /// Says whether the registry takes writes.
    pub(crate) async fn set_mode(&self, mode: &str) {
        sqlx::query("update authority.fleet set registry_mode = $1 where fleet_id = 'acme'")
            .bind(mode)
            .execute(&self.admin)
            .await
            .unwrap();
    }

    /// Moves the fleet's epoch on.
    pub(crate) async fn set_epoch(&self, epoch: Epoch) {
        sqlx::query("update authority.fleet set epoch = $1 where fleet_id = 'acme'")
            .bind(epoch.as_i64())
            .execute(&self.admin)
            .await
            .unwrap();
    }

    /// A device with keys and a tag.
    pub(crate) async fn wanted(&self, device: &str) -> Wanted {
        let keys = self.deps.keys(&self.fleet).await.unwrap();
        let credentials = Credentials::Sas {
            primary: Secret::generate().unwrap(),
            secondary: Secret::generate().unwrap(),
        };
        Wanted {
            device_id: device.to_owned(),
            incarnation: 1,
            record: hubshift_domain::identity::Record {
                enabled: true,
                status_reason: None,
                credential: keys.credential(device, &credentials),
                iot_edge: false,
                parent: None,
                managed_by: None,
                tags: json!({"site": "x"}).as_object().unwrap().clone(),
                desired: serde_json::Map::new(),
            },
            sealed: keys.seal(device, &credentials).unwrap(),
            hold: None,
        }
    }
}

fn deps(pool: PgPool) -> Deps {
    let config: Config = toml::from_str(include_str!("defaults.toml")).unwrap();
    Deps {
        keyring: Keyring::new(Kek::of(&[5; 32])),
        hubs: Hubs::new(pool.clone(), config.hub_budget_speed),
        vault: None,
        sync: Arc::default(),
        flow: Arc::default(),
        config,
        pool,
    }
}

async fn emulator() -> Running {
    let key = Secret::generate().unwrap();
    Emulator::start(Options::local("iothubowner", &key))
        .await
        .unwrap()
}
