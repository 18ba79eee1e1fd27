//! A certificate authority for one machine: `hubshift up`, the compose stack, tests.
//!
//! Durable: `ca.pem` and `ca-key.pem` in its directory, and what it issued. Keys are readable by
//! their owner only. Not for production: the authority's key lies on disk unencrypted.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

const CA_LIFETIME: Duration = Duration::days(10 * 365);
/// What current TLS clients accept at most is 825 days.
const LEAF_LIFETIME: Duration = Duration::days(820);
/// For machines whose clocks differ.
const BACKDATED: Duration = Duration::days(1);

/// Why the authority cannot be opened or cannot issue.
#[derive(Debug, thiserror::Error)]
pub enum DevCaError {
    /// A file or the directory cannot be read or written.
    #[error("{} cannot be read or written", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A name, or the authority's own files, do not make a certificate.
    #[error("no certificate can be made for `{name}`")]
    Certificate {
        /// The name that was to be certified.
        name: String,
        /// What the certificate library said.
        #[source]
        source: rcgen::Error,
    },
    /// A name that would leave the directory.
    #[error("`{0}` cannot be the name of a certificate's file")]
    Name(String),
}

/// A certificate authority whose key lies in a directory.
#[derive(Debug)]
pub struct DevAuthority {
    dir: PathBuf,
    issuer: Issuer<'static, KeyPair>,
}

impl DevAuthority {
    /// Makes a new authority in `dir`, which is created if need be; one that is there is replaced.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn create(dir: &Path) -> Result<Self, DevCaError> {
        fs::create_dir_all(dir).map_err(io(dir))?;
        let make = || {
            let params = authority_params();
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let issuer = make().map_err(certificate("Hubshift development CA"))?;
        write(
            &dir.join("ca-key.pem"),
            &issuer.key().serialize_pem(),
            0o600,
        )?;
        write(&dir.join("ca.pem"), &issuer.pem(), 0o644)?;
        Self::open(dir)
    }

    /// Opens the authority in `dir`, or makes one there. One process at a time.
    ///
    /// # Errors
    /// The directory cannot be written, or what lies there is not an authority.
    pub fn open_or_create(dir: &Path) -> Result<Self, DevCaError> {
        let complete = dir.join("ca.pem").exists() && dir.join("ca-key.pem").exists();
        if complete {
            Self::open(dir)
        } else {
            Self::create(dir)
        }
    }

    fn open(dir: &Path) -> Result<Self, DevCaError> {
        let cert = dir.join("ca.pem");
        let pem = fs::read_to_string(&cert).map_err(io(&cert))?;
        let key = dir.join("ca-key.pem");
        let key = fs::read_to_string(&key).map_err(io(&key))?;
        let issuer = KeyPair::from_pem(&key)
            .and_then(|key| Issuer::from_ca_cert_pem(&pem, key))
            .map_err(certificate("Hubshift development CA"))?;
        Ok(Self {
            dir: dir.to_owned(),
            issuer,
        })
    }

    /// The file with the authority's certificate, for others to trust.
    pub fn ca_path(&self) -> PathBuf {
        self.dir.join("ca.pem")
    }

    /// Issues a certificate for servers and clients alike; returns the paths of certificate
    /// (`<name>.pem`) and key (`<name>-key.pem`). `name` becomes the common name, `sans` are host
    /// names and IP addresses. A pair of that name is replaced, each file in one step.
    ///
    /// # Errors
    /// A name that is no file name or no host name, or an unwritable directory.
    pub fn issue(&self, name: &str, sans: &[String]) -> Result<(PathBuf, PathBuf), DevCaError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let taken = name == "ca" || name.ends_with("-key");
        if name.is_empty() || name.starts_with('.') || taken || !name.chars().all(plain) {
            return Err(DevCaError::Name(name.to_owned()));
        }
        let make = || {
            let key = KeyPair::generate()?;
            let cert = leaf_params(name, sans)?.signed_by(&key, &self.issuer)?;
            Ok::<_, rcgen::Error>((cert.pem(), key.serialize_pem()))
        };
        let (cert, key) = make().map_err(certificate(name))?;
        let cert_path = self.dir.join(format!("{name}.pem"));
        let key_path = self.dir.join(format!("{name}-key.pem"));
        write(&key_path, &key, 0o600)?;
        write(&cert_path, &cert, 0o644)?;
        Ok((cert_path, key_path))
    }
}

fn authority_params() -> CertificateParams {
    let mut params = dated(CertificateParams::default(), CA_LIFETIME);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Hubshift development CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn leaf_params(name: &str, sans: &[String]) -> Result<CertificateParams, rcgen::Error> {
    let mut params = dated(CertificateParams::new(sans)?, LEAF_LIFETIME);
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn dated(mut params: CertificateParams, lifetime: Duration) -> CertificateParams {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BACKDATED;
    params.not_after = now + lifetime;
    params
}

/// Writes beside the file and renames, so that no reader sees half of it.
fn write(path: &Path, text: &str, mode: u32) -> Result<(), DevCaError> {
    let beside = path.with_extension(format!("pem.{}", std::process::id()));
    let put = || {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    put().map_err(io(path))
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> DevCaError + '_ {
    move |source| DevCaError::Io {
        path: path.to_owned(),
        source,
    }
}

fn certificate(name: &str) -> impl Fn(rcgen::Error) -> DevCaError + '_ {
    move |source| DevCaError::Certificate {
        name: name.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_authority_is_opened_again_and_its_keys_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let first = DevAuthority::open_or_create(dir.path()).unwrap();
        let before = fs::read(first.ca_path()).unwrap();
        let again = DevAuthority::open_or_create(dir.path()).unwrap();
        assert_eq!(fs::read(again.ca_path()).unwrap(), before);
        let (_, key) = again.issue("east", &["localhost".to_owned()]).unwrap();
        for path in [key, dir.path().join("ca-key.pem")] {
            assert_eq!(
                fs::metadata(path).unwrap().permissions().mode() & 0o777,
                0o600
            );
        }
    }

    #[test]
    fn a_name_cannot_leave_the_directory_or_replace_the_authority() {
        let dir = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(dir.path()).unwrap();
        for name in ["", "../x", "a/b", ".hidden", "ca", "ca-key"] {
            assert!(
                matches!(authority.issue(name, &[]), Err(DevCaError::Name(_))),
                "{name}"
            );
        }
    }
}
