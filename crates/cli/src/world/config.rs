//! The services' configuration files for a world on one machine.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use hubshift_shell::config::humane;
use toml::{Table, Value};

use super::database::WorldDatabase;
use super::hub::HubSide;
use super::layout::Layout;

/// How much faster than the wall clock the emulated hubs count their quotas.
const BUDGET_SPEED: f64 = 20.0;

/// Paths of the three files.
#[derive(Debug)]
pub(crate) struct ConfigFiles {
    pub(crate) concierge: PathBuf,
    pub(crate) registry_sync: PathBuf,
    pub(crate) merge: PathBuf,
}

/// Writes the three files; they hold passwords, so only their owner can read them.
pub(crate) fn write(
    layout: &Layout,
    database: &WorldDatabase,
    public_tls: (PathBuf, PathBuf),
) -> anyhow::Result<ConfigFiles> {
    layout.secret("secrets/kek")?;
    let mut of_concierge = concierge(layout, database, public_tls);
    of_concierge.insert("observer_ca".into(), text(observer_ca(layout)?.display()));
    Ok(ConfigFiles {
        concierge: save(layout, "concierge", of_concierge)?,
        registry_sync: save(layout, "registry-sync", registry_sync(layout, database))?,
        merge: save(layout, "merge", merge(layout, database))?,
    })
}

fn save(layout: &Layout, name: &str, table: Table) -> anyhow::Result<PathBuf> {
    layout.write_secret(
        &format!("config/{name}.toml"),
        &toml::to_string_pretty(&table)?,
    )
}

fn concierge(layout: &Layout, database: &WorldDatabase, tls: (PathBuf, PathBuf)) -> Table {
    let (ports, tuning) = (&layout.ports, &layout.tuning);
    let mut public_tls = Table::new();
    public_tls.insert("cert".into(), text(tls.0.display()));
    public_tls.insert("key".into(), text(tls.1.display()));
    let mut table = Table::new();
    table.insert("public_listen".into(), local(ports.concierge_public));
    table.insert("operator_listen".into(), local(ports.concierge_operator));
    table.insert("admin_listen".into(), local(ports.concierge_admin));
    table.insert("public_tls".into(), Value::Table(public_tls));
    table.insert("database_url".into(), text(database.url("concierge")));
    table.insert("data_dir".into(), text(layout.path("concierge").display()));
    table.insert("replica".into(), text("concierge-1"));
    table.insert("region".into(), text("east"));
    table.insert("registry_url".into(), text(layout.registry_url()));
    table.insert("merge_url".into(), text(layout.merge_url()));
    table.insert("refresh".into(), span(tuning.refresh));
    table.insert("clock_bound".into(), span(tuning.clock_bound));
    table.insert("telemetry".into(), telemetry(layout));
    table
}

/// The authorities of both hubs in one file: each hub has its own.
fn observer_ca(layout: &Layout) -> anyhow::Result<PathBuf> {
    let mut authorities = String::new();
    for side in [HubSide::East, HubSide::West] {
        let file = layout.path(&format!("tls/{}/ca.pem", side.slug()));
        let pem = std::fs::read_to_string(&file);
        authorities += &pem.with_context(|| format!("{} can't be read", file.display()))?;
    }
    layout.write_secret("tls/hubs-ca.pem", &authorities)
}

fn registry_sync(layout: &Layout, database: &WorldDatabase) -> Table {
    let store = |region: &str| {
        let mut table = Table::new();
        table.insert("name".into(), text(region));
        let path = layout.path(&format!("backup/{region}"));
        table.insert("url".into(), text(format!("file://{}", path.display())));
        Value::Table(table)
    };
    let mut table = Table::new();
    table.insert("listen".into(), local(layout.ports.registry));
    table.insert("admin_listen".into(), local(layout.ports.registry_admin));
    table.insert("database_url".into(), text(database.url("registry")));
    table.insert(
        "kek".into(),
        text(format!("file:{}", layout.path("secrets/kek").display())),
    );
    table.insert(
        "backup_stores".into(),
        Value::Array(vec![store("east"), store("west")]),
    );
    table.insert(
        "backup_key".into(),
        text(format!(
            "file:{}",
            layout.path("secrets/backup-key").display()
        )),
    );
    table.insert("create_keys".into(), Value::Boolean(true));
    table.insert("replica".into(), text("registry-sync-1"));
    table.insert("sync_interval".into(), span(layout.tuning.sync_interval));
    // Emulated hubs are back as soon as they are told: their refusals are not to be felt for minutes.
    table.insert("hub_budget_speed".into(), Value::Float(BUDGET_SPEED));
    table.insert("telemetry".into(), telemetry(layout));
    table
}

fn merge(layout: &Layout, database: &WorldDatabase) -> Table {
    let mut table = Table::new();
    table.insert("listen".into(), local(layout.ports.merge));
    table.insert("admin_listen".into(), local(layout.ports.merge_admin));
    table.insert("database_url".into(), text(database.url("merge")));
    table.insert("registry_url".into(), text(layout.registry_url()));
    table.insert("replica".into(), text("merge-1"));
    table.insert("telemetry".into(), telemetry(layout));
    table
}

fn telemetry(layout: &Layout) -> Value {
    let mut table = Table::new();
    table.insert("log_format".into(), text("human"));
    if let Some(endpoint) = &layout.otlp_endpoint {
        table.insert("otlp_endpoint".into(), text(endpoint));
    }
    Value::Table(table)
}

fn text(value: impl std::fmt::Display) -> Value {
    Value::String(value.to_string())
}

fn local(port: u16) -> Value {
    text(format!("127.0.0.1:{port}"))
}

fn span(span: Duration) -> Value {
    text(humane::format(span))
}
