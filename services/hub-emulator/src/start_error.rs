//! Why the hub does not start, and the exit code that says so.

use std::net::SocketAddr;
use std::path::PathBuf;

use hubshift_azure::export_line::LineError;

/// Wrong options or files (`EX_USAGE`).
const CONFIG: u8 = 64;
/// Something that is needed is taken or out of order (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// How many bad lines of a file are told.
const SHOWN_LINES: usize = 10;

/// The hub does not start. No text has a key in it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A policy is not `NAME:BASE64KEY`, or there is none.
    #[error("{0}")]
    Policy(String),
    /// The host name is none.
    #[error("--hostname must be a host without a port, https:// and path")]
    Hostname,
    /// The control interface would be reachable from elsewhere.
    #[error("--admin {0} is not a loopback address: it hands out keys to anyone who asks")]
    AdminNotLoopback(SocketAddr),
    /// The stand-in for the management plane would be reachable from elsewhere.
    #[error("--management {0} is not a loopback address: it is no protection against anyone")]
    ManagementNotLoopback(SocketAddr),
    /// An application, a token or a role for Entra's stand-in is wrong.
    #[error("{0}")]
    Bearer(String),
    /// The hub's name as a resource is none.
    #[error(
        "--resource-id must be \
         /subscriptions/S/resourceGroups/G/providers/Microsoft.Devices/IotHubs/NAME"
    )]
    ResourceId,
    /// A file cannot be read or written.
    #[error("{}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was to be done with it.
        what: &'static str,
        /// Why that failed.
        source: std::io::Error,
    },
    /// Certificate or key cannot be used.
    #[error("{0}")]
    Tls(String),
    /// The data file has a line that cannot be read, and it is not the last.
    #[error(
        "{}: line {line} is damaged or of a later version; restore the file or remove it",
        path.display()
    )]
    Data {
        /// The data file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// Another process has the data file.
    #[error("{} is in use by another hub-emulator", .0.display())]
    DataInUse(PathBuf),
    /// The dump would take the place of the data file.
    #[error("{} is the data file: dump to another one", .0.display())]
    DumpOntoData(PathBuf),
    /// The seed file has bad lines. Nothing of it is loaded.
    #[error("{}: nothing was loaded: {}", path.display(), shown(errors))]
    Seed {
        /// The seed file.
        path: PathBuf,
        /// All bad lines.
        errors: Vec<LineError>,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {addr}: {}", bind_hint(source))]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The operating system gave no random bytes for keys.
    #[error("the operating system gave no random bytes")]
    NoRandomness,
}

impl StartError {
    /// 64 for wrong options and files, 69 for what is taken.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Policy(_)
            | Self::Hostname
            | Self::AdminNotLoopback(_)
            | Self::ManagementNotLoopback(_)
            | Self::Bearer(_)
            | Self::ResourceId
            | Self::File { .. }
            | Self::Tls(_)
            | Self::Data { .. }
            | Self::DumpOntoData(_)
            | Self::Seed { .. } => CONFIG,
            Self::DataInUse(_) | Self::Bind { .. } | Self::NoRandomness => UNAVAILABLE,
        }
    }
}

/// The exit code of an error of [`crate::run`]: that of its [`StartError`], else 1.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error
        .downcast_ref::<StartError>()
        .map_or(1, StartError::exit_code)
}

fn shown(errors: &[LineError]) -> String {
    let mut lines: Vec<_> = errors
        .iter()
        .take(SHOWN_LINES)
        .map(ToString::to_string)
        .collect();
    if errors.len() > SHOWN_LINES {
        lines.push(format!("and {} more", errors.len() - SHOWN_LINES));
    }
    lines.join("; ")
}

fn bind_hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => {
            "the port is taken; stop what listens there or choose another"
        }
        std::io::ErrorKind::PermissionDenied => "not permitted; ports below 1024 are root's",
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
        _ => "the operating system refuses",
    }
}
