//! Microsoft's Node service SDK and Azurite (a local Azure Storage), unmodified, below `target/`.
//! A stamp inside says what was installed, so that the second run needs no network.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail};

use crate::process::{answers, run};
use crate::setup::debian;

/// The SDK and the storage in the versions that the emulator is held against.
const WANTED: [&str; 2] = ["azure-iothub@1.16.6", "azurite@3.35.0"];

/// Debian's packages that have Node and npm.
const PACKAGES: [&str; 2] = ["nodejs", "npm"];

/// Azurite's blob service alone, a script for Node.
const AZURITE: &str = "node_modules/azurite/dist/src/blob/main.js";

/// Where the tools are.
pub(super) struct Tools {
    /// A directory with `node_modules`.
    pub(super) sdk: PathBuf,
    /// Azurite's script.
    pub(super) azurite: PathBuf,
}

/// Installs what is not there yet.
pub(super) fn ready(place: &Path) -> anyhow::Result<Tools> {
    let (stamp, text) = (place.join("installed"), WANTED.join("\n"));
    node("node")?;
    if !std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
        node("npm")?;
        install(place)?;
        std::fs::write(&stamp, text)?;
    }
    Ok(Tools {
        sdk: place.to_owned(),
        azurite: place.join(AZURITE),
    })
}

/// Makes sure that the program is there.
fn node(program: &str) -> anyhow::Result<()> {
    let is_there = || answers(program, &["--version"]);
    if is_there() {
        return Ok(());
    }
    let packages = PACKAGES.join(" ");
    if !debian::may_install() {
        bail!("{program} is not installed: install it (Debian: apt-get install {packages})");
    }
    debian::install(&PACKAGES)?;
    if !is_there() {
        bail!("{program} does not work, though {packages} are installed");
    }
    Ok(())
}

/// None of the packages needs its scripts, and a script could fetch anything.
fn install(place: &Path) -> anyhow::Result<()> {
    println!("installing {} into {}", WANTED.join(", "), place.display());
    std::fs::create_dir_all(place)?;
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    let mut npm = Command::new("npm");
    npm.args(["install", "--ignore-scripts"])
        .args(quiet)
        .arg("--prefix")
        .arg(place)
        .args(WANTED);
    run(&mut npm).context("npm could not install them: is there a way to its registry?")
}
