//! Certificates: the given ones, those of a directory, or new ones.
//!
//! New ones are a CA and a leaf that it signed; the CA's key is thrown away at once. In a
//! directory, `ca.pem` is written last and `key.pem` is for the owner only.

use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use time::{Duration, OffsetDateTime};

use crate::options::Options;
use crate::private_file;
use crate::start_error::StartError;

const LIFETIME: Duration = Duration::days(3650);

/// What the hub serves with, and what its clients are to trust.
pub(crate) struct Material {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) ca_pem: String,
}

/// Certificates as text.
struct Pems {
    ca: String,
    cert: String,
    key: String,
}

/// The certificates that the options ask for.
pub(crate) fn material(options: &Options) -> Result<Material, StartError> {
    let pems = match (&options.tls_cert, &options.tls_key, &options.tls_dir) {
        (Some(cert), Some(key), _) => {
            let cert = read(cert)?;
            Pems {
                ca: cert.clone(),
                cert,
                key: read(key)?,
            }
        }
        (_, _, Some(dir)) => of_directory(dir, options)?,
        _ => make(options)?,
    };
    let chain = certificates(&pems.cert)?;
    let key = PrivateKeyDer::from_pem_slice(pems.key.as_bytes())
        .map_err(|_| StartError::Tls("the private key is no PEM file with a key".to_owned()))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| StartError::Tls(format!("certificate and key cannot be used: {error}")))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Material {
        config: Arc::new(config),
        ca_pem: pems.ca,
    })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn of_directory(dir: &Path, options: &Options) -> Result<Pems, StartError> {
    let paths = ["ca.pem", "cert.pem", "key.pem"].map(|name| dir.join(name));
    match paths.iter().filter(|path| path.exists()).count() {
        0 => {
            let pems = make(options)?;
            write(dir, &pems)?;
            Ok(pems)
        }
        3 => {
            let [ca, cert, key] = &paths;
            let pems = Pems {
                ca: read(ca)?,
                cert: read(cert)?,
                key: read(key)?,
            };
            check(&pems, &options.host()).map_err(|reason| {
                let remedy = "remove ca.pem, cert.pem and key.pem there to have new ones made";
                StartError::Tls(format!(
                    "the certificate in {}: {reason}; {remedy}",
                    dir.display()
                ))
            })?;
            Ok(pems)
        }
        _ => Err(StartError::Tls(format!(
            "{} has only some of ca.pem, cert.pem and key.pem: give all three or remove them",
            dir.display()
        ))),
    }
}

/// Checks that the leaf is for this host, in time and signed by the CA.
fn check(pems: &Pems, host: &str) -> Result<(), String> {
    let mut roots = RootCertStore::empty();
    let leaf = certificates(&pems.cert).map_err(|error| error.to_string())?;
    roots.add_parsable_certificates(certificates(&pems.ca).map_err(|error| error.to_string())?);
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(|error| error.to_string())?;
    let name = ServerName::try_from(bare(host)).map_err(|error| error.to_string())?;
    let (leaf, between) = leaf.split_first().ok_or("there is none")?;
    verifier
        .verify_server_cert(leaf, between, &name, &[], UnixTime::now())
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn make(options: &Options) -> Result<Pems, StartError> {
    let host = options.host();
    let mut names = vec![bare(&host).to_owned(), options.listen.ip().to_string()];
    names.extend(options.entra.management.map(|addr| addr.ip().to_string()));
    names.push("localhost".to_owned());
    names.sort();
    names.dedup();
    sign(&host, names)
        .map_err(|error| StartError::Tls(format!("no certificate can be made: {error}")))
}

fn sign(host: &str, names: Vec<String>) -> Result<Pems, rcgen::Error> {
    let mut ca = params(&format!("hub-emulator CA of {host}"), Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate()?)?;

    let key = KeyPair::generate()?;
    let mut leaf = params(host, names)?;
    leaf.is_ca = IsCa::ExplicitNoCa;
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    leaf.use_authority_key_identifier_extension = true;
    let leaf = leaf.signed_by(&key, &ca)?;
    Ok(Pems {
        ca: ca.pem(),
        cert: leaf.pem(),
        key: key.serialize_pem(),
    })
}

fn params(name: &str, names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, name);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - Duration::DAY;
    params.not_after = now + LIFETIME;
    Ok(params)
}

fn write(dir: &Path, pems: &Pems) -> Result<(), StartError> {
    let cannot = |source| StartError::File {
        path: dir.to_owned(),
        what: "certificates cannot be written there",
        source,
    };
    std::fs::create_dir_all(dir).map_err(cannot)?;
    let key = |out: &mut dyn std::io::Write| out.write_all(pems.key.as_bytes());
    private_file::replace(&dir.join("key.pem"), key).map_err(cannot)?;
    std::fs::write(dir.join("cert.pem"), &pems.cert).map_err(cannot)?;
    std::fs::write(dir.join("ca.pem"), &pems.ca).map_err(cannot)
}

fn read(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what: "the PEM file cannot be read",
        source,
    })
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, StartError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => Err(StartError::Tls(
            "the certificate is no PEM file with certificates".to_owned(),
        )),
    }
}

/// An IPv6 address without its brackets.
fn bare(host: &str) -> &str {
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Secret;

    use super::*;

    fn options(dir: &Path, host: &str) -> Options {
        let key = Secret::new("AAAA");
        let (tls_dir, hostname) = (Some(dir.to_owned()), Some(host.to_owned()));
        Options {
            tls_dir,
            hostname,
            ..Options::local("iothubowner", &key)
        }
    }

    #[test]
    fn a_directory_keeps_its_certificates() {
        let dir = tempfile::tempdir().unwrap();
        let first = material(&options(dir.path(), "hub.test")).unwrap();
        let second = material(&options(dir.path(), "hub.test")).unwrap();
        assert_eq!(first.ca_pem, second.ca_pem);
        // The listening address and localhost are in the certificate too.
        assert!(material(&options(dir.path(), "127.0.0.1")).is_ok());
        assert!(material(&options(dir.path(), "localhost")).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn the_key_is_for_the_owner_only() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        material(&options(dir.path(), "hub.test")).unwrap();
        let mode = std::fs::metadata(dir.path().join("key.pem"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_for_another_host_is_told_with_a_remedy() {
        let dir = tempfile::tempdir().unwrap();
        material(&options(dir.path(), "one.test")).unwrap();
        let error = material(&options(dir.path(), "two.test"))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("remove ca.pem"), "{error}");
    }

    #[test]
    fn half_a_directory_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("cert.pem"), "mine").unwrap();
        assert!(material(&options(dir.path(), "hub.test")).is_err());
        assert_eq!(
            std::fs::read_to_string(dir.path().join("cert.pem")).unwrap(),
            "mine"
        );
    }
}
