//! Where everything of a world is: folders, ports, secrets, and the times that it runs with.

use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::RngCore as _;

use super::ports::free_port;

/// The times that a world runs with. Production's stand beside them in the demo's report.
#[derive(Debug, Clone)]
pub(crate) struct Tuning {
    /// Hard deadline of a call to a hub.
    pub(crate) call_deadline: Duration,
    /// How often devices ask.
    pub(crate) poll: Duration,
    /// How often a concierge refreshes its table.
    pub(crate) refresh: Duration,
    /// How often registry-sync looks for changes.
    pub(crate) sync_interval: Duration,
    /// New device connections that a hub admits per second.
    pub(crate) admission_per_second: u32,
    /// How far clocks may differ.
    pub(crate) clock_bound: Duration,
}

impl Tuning {
    /// Short times, for a world that a person watches.
    pub(crate) fn demo() -> Self {
        Self {
            call_deadline: Duration::from_secs(2),
            poll: Duration::from_secs(1),
            refresh: Duration::from_millis(250),
            sync_interval: Duration::from_secs(2),
            admission_per_second: 1_000,
            clock_bound: Duration::from_millis(100),
        }
    }
}

/// Ports of one world.
#[derive(Debug, Clone)]
pub(crate) struct Ports {
    pub(crate) concierge_public: u16,
    pub(crate) concierge_operator: u16,
    pub(crate) concierge_admin: u16,
    pub(crate) registry: u16,
    pub(crate) registry_admin: u16,
    pub(crate) merge: u16,
    pub(crate) merge_admin: u16,
}

impl Ports {
    fn of(root: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            concierge_public: kept_port(root, "concierge-public")?,
            concierge_operator: kept_port(root, "concierge-operator")?,
            concierge_admin: kept_port(root, "concierge-admin")?,
            registry: kept_port(root, "registry")?,
            registry_admin: kept_port(root, "registry-admin")?,
            merge: kept_port(root, "merge")?,
            merge_admin: kept_port(root, "merge-admin")?,
        })
    }
}

/// A port that is chosen once and kept: routes and connections of a world that is started again
/// still name it.
pub(crate) fn kept_port(root: &Path, name: &str) -> anyhow::Result<u16> {
    let path = root.join("ports").join(name);
    if let Ok(text) = fs::read_to_string(&path) {
        return text
            .trim()
            .parse()
            .with_context(|| format!("{} is no port", path.display()));
    }
    let taken = kept_ports(root)?;
    let port = loop {
        let port = free_port()?;
        if !taken.contains(&port) {
            break port;
        }
    };
    fs::write(&path, port.to_string())?;
    Ok(port)
}

/// Ports that this world uses already, listening or not.
fn kept_ports(root: &Path) -> anyhow::Result<Vec<u16>> {
    let mut ports = Vec::new();
    for entry in fs::read_dir(root.join("ports"))? {
        let text = fs::read_to_string(entry?.path())?;
        ports.extend(text.trim().parse::<u16>());
    }
    Ok(ports)
}

/// A world's folder, ports and times.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
    pub(crate) ports: Ports,
    pub(crate) tuning: Tuning,
    pub(crate) otlp_endpoint: Option<String>,
}

impl Layout {
    /// Makes the folder and picks ports.
    pub(crate) fn create(root: &Path, tuning: Tuning) -> anyhow::Result<Self> {
        for folder in [
            "config",
            "secrets",
            "ports",
            "logs",
            "tls",
            "concierge",
            "backup/east",
            "backup/west",
        ] {
            let path = root.join(folder);
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        fs::set_permissions(root.join("secrets"), fs::Permissions::from_mode(0o700))?;
        let ports = Ports::of(root)?;
        let root = fs::canonicalize(root)?;
        Ok(Self {
            root,
            ports,
            tuning,
            otlp_endpoint: None,
        })
    }

    /// The folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A place in the folder.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// `https://localhost:PORT` of the listener for devices.
    pub(crate) fn public_url(&self) -> String {
        format!("https://localhost:{}", self.ports.concierge_public)
    }

    /// The listener for operators and back ends.
    pub(crate) fn operator_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.concierge_operator)
    }

    /// registry-sync.
    pub(crate) fn registry_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.registry)
    }

    /// merge.
    pub(crate) fn merge_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.merge)
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn write_secret(&self, relative: &str, text: &str) -> anyhow::Result<PathBuf> {
        use std::io::Write as _;
        let path = self.path(relative);
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)?;
        file.write_all(text.as_bytes())?;
        Ok(path)
    }

    /// A secret that is made on first use and kept in the folder.
    pub(crate) fn secret(&self, relative: &str) -> anyhow::Result<String> {
        if let Ok(text) = fs::read_to_string(self.path(relative)) {
            return Ok(text.trim().to_owned());
        }
        let secret = random_key();
        self.write_secret(relative, &secret)?;
        Ok(secret)
    }
}

/// 32 random bytes, base64.
pub(crate) fn random_key() -> String {
    let mut bytes = [0u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    STANDARD.encode(bytes)
}
