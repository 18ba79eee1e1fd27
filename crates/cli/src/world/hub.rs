//! An emulated hub as a process of its own: it can be killed, and come back as it was, older,
//! empty, or not at all.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::layout::{Layout, kept_port};
use super::process::{Recipe, Supervised};

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HubSide {
    /// The home hub.
    East,
    /// The standby.
    West,
}

impl HubSide {
    /// The hub's slug.
    pub(crate) fn slug(self) -> &'static str {
        match self {
            Self::East => "east",
            Self::West => "west",
        }
    }
}

/// A hub's control interface.
#[derive(Debug, Clone)]
pub(crate) struct HubControl {
    outage_url: String,
}

impl HubControl {
    /// Answers 429 to what changes anything, or stops doing so; reads and telemetry go on.
    pub(crate) async fn throttle_writes(&self, throttle: bool) -> anyhow::Result<()> {
        let mode = if throttle { "throttled" } else { "none" };
        let answer = reqwest::Client::new()
            .post(&self.outage_url)
            .json(&json!({"mode": mode, "scope": "write", "retryAfter": 1}))
            .send()
            .await?;
        answer.error_for_status()?;
        Ok(())
    }
}

const POLICY: &str = "iothubowner";

/// One emulated hub.
#[derive(Debug)]
pub(crate) struct EmulatedHub {
    side: HubSide,
    port: u16,
    admin_port: u16,
    key: String,
    layout: Layout,
    process: Option<Supervised>,
}

impl EmulatedHub {
    /// Starts a hub; what it held before is still there.
    pub(crate) async fn start(layout: &Layout, side: HubSide) -> anyhow::Result<Self> {
        let key = layout.secret(&format!("secrets/{}-policy", side.slug()))?;
        let mut hub = Self {
            side,
            port: kept_port(layout.root(), &format!("hub-{}", side.slug()))?,
            admin_port: kept_port(layout.root(), &format!("hub-{}-admin", side.slug()))?,
            key,
            layout: layout.clone(),
            process: None,
        };
        layout.write_secret(
            &format!("secrets/{}-policies", side.slug()),
            &format!("{POLICY}:{}\n", hub.key),
        )?;
        layout.write_secret(
            &format!("secrets/{}-connection-string", side.slug()),
            &hub.connection_string(),
        )?;
        hub.power_on().await?;
        Ok(hub)
    }

    /// Starts the process again after [`Self::power_off`].
    pub(crate) async fn power_on(&mut self) -> anyhow::Result<()> {
        let slug = self.side.slug();
        let path = |relative: String| self.layout.path(&relative).display().to_string();
        let args = [
            "service".to_owned(),
            "hub-emulator".to_owned(),
            format!("--listen=127.0.0.1:{}", self.port),
            "--hostname=127.0.0.1".to_owned(),
            format!("--policy-file={}", path(format!("secrets/{slug}-policies"))),
            format!("--tls-dir={}", path(format!("tls/{slug}"))),
            format!("--data={}", self.data_file().display()),
            format!("--admin=127.0.0.1:{}", self.admin_port),
        ];
        let log = self.layout.path(&format!("logs/hub-{slug}.log"));
        let name = if slug == "east" {
            "hub-east"
        } else {
            "hub-west"
        };
        self.process = Some(Supervised::start(Recipe {
            name,
            args: args.into(),
            log,
        })?);
        self.wait_ready().await
    }

    async fn wait_ready(&self) -> anyhow::Result<()> {
        let url = self.admin_url("healthz");
        for _ in 0..200 {
            if reqwest::get(&url)
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!(
            "hub {} did not come up; see {}/logs",
            self.side.slug(),
            self.layout.root().display()
        )
    }

    /// Kills the process: the region burns.
    pub(crate) async fn power_off(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop().await;
        }
    }

    /// Keeps a copy of what the hub holds now, to come back to.
    pub(crate) async fn keep_copy(&self) -> anyhow::Result<()> {
        let copied = tokio::fs::copy(self.data_file(), self.copy_file()).await;
        copied
            .map(|_| ())
            .context("the hub's data could not be copied")
    }

    /// Makes the hub, while it is off, what the copy was.
    pub(crate) async fn return_to_copy(&self) -> anyhow::Result<()> {
        tokio::fs::copy(self.copy_file(), self.data_file()).await?;
        Ok(())
    }

    /// Makes the hub, while it is off, hold nothing.
    pub(crate) async fn wipe(&self) -> anyhow::Result<()> {
        Ok(tokio::fs::remove_file(self.data_file()).await?)
    }

    /// Who orders what the hub does instead of answering.
    pub(crate) fn control(&self) -> HubControl {
        HubControl {
            outage_url: self.admin_url("outage"),
        }
    }

    /// Calls that the hub counted, by operation.
    pub(crate) async fn requests(&self) -> anyhow::Result<Value> {
        Ok(reqwest::get(self.admin_url("requests"))
            .await?
            .json()
            .await?)
    }

    fn admin_url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}/{path}", self.admin_port)
    }

    fn data_file(&self) -> PathBuf {
        self.layout.path(&format!("hub-{}.jsonl", self.side.slug()))
    }

    fn copy_file(&self) -> PathBuf {
        self.layout
            .path(&format!("hub-{}.copy.jsonl", self.side.slug()))
    }

    /// Host and port, as devices are told.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The certificate authority to trust.
    pub(crate) fn ca_file(&self) -> PathBuf {
        self.layout
            .path(&format!("tls/{}/ca.pem", self.side.slug()))
    }

    /// The key of the hub's owner policy.
    pub(crate) fn policy_key(&self) -> &str {
        &self.key
    }

    /// The name of the hub's owner policy.
    pub(crate) fn policy(&self) -> &'static str {
        POLICY
    }

    /// Where registry-sync finds the connection string.
    pub(crate) fn secret_ref(&self) -> String {
        let path = self
            .layout
            .path(&format!("secrets/{}-connection-string", self.side.slug()));
        format!("file:{}", path.display())
    }

    fn connection_string(&self) -> String {
        format!(
            "HostName={};SharedAccessKeyName={POLICY};SharedAccessKey={}",
            self.host(),
            self.key
        )
    }

    /// Which of the two.
    pub(crate) fn side(&self) -> HubSide {
        self.side
    }
}
