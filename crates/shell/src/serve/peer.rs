//! Who is at the other end of a connection.

use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

/// The other end of the connection that a request came by; in every request's extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Where the connection came from: a proxy, if there is one in between.
    pub addr: SocketAddr,
    /// Common name, else first DNS name, of the client certificate that TLS has verified; none
    /// where the listener asks for no certificate.
    pub certificate_name: Option<String>,
}

impl Peer {
    pub(super) fn plain(addr: SocketAddr) -> Self {
        Self {
            addr,
            certificate_name: None,
        }
    }

    /// Of a finished handshake: rustls only hands out certificates that it verified.
    pub(super) fn of_tls(addr: SocketAddr, stream: &TlsStream<TcpStream>) -> Self {
        let (_, session) = stream.get_ref();
        let leaf = session.peer_certificates().and_then(|chain| chain.first());
        Self {
            addr,
            certificate_name: leaf.and_then(|der| name(der)),
        }
    }
}

/// The name that a certificate gives its holder.
fn name(der: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let common = certificate
        .subject()
        .iter_common_name()
        .next()
        .and_then(|cn| cn.as_str().ok());
    if let Some(common) = common.filter(|text| !text.is_empty()) {
        return Some(common.to_owned());
    }
    let names = certificate.subject_alternative_name().ok()??;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::DNSName(dns) => Some((*dns).to_owned()),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn certificate(common: Option<&str>, sans: &[&str]) -> Vec<u8> {
        let sans: Vec<String> = sans.iter().map(|s| (*s).to_owned()).collect();
        let mut params = CertificateParams::new(sans).unwrap();
        params.distinguished_name = DistinguishedName::new();
        if let Some(common) = common {
            params.distinguished_name.push(DnType::CommonName, common);
        }
        params
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap()
            .der()
            .to_vec()
    }

    #[test]
    fn the_common_name_goes_before_the_first_dns_name() {
        assert_eq!(
            name(&certificate(Some("merge"), &["m.local"])).as_deref(),
            Some("merge")
        );
        let unnamed = certificate(None, &["127.0.0.1", "m.local", "n.local"]);
        assert_eq!(name(&unnamed).as_deref(), Some("m.local"));
        assert_eq!(name(&certificate(None, &["127.0.0.1"])), None);
        assert_eq!(name(b"no certificate"), None);
    }
}
