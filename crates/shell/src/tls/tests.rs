//! Every TLS setting that cannot work is refused by name.

use super::*;

fn authority() -> (tempfile::TempDir, DevAuthority) {
    let dir = tempfile::tempdir().unwrap();
    let authority = DevAuthority::create(dir.path()).unwrap();
    (dir, authority)
}

fn names() -> Vec<String> {
    vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
}

#[test]
fn a_missing_file_is_named() {
    let tls = ServerTls {
        cert: "/nonexistent/cert.pem".into(),
        key: "/nonexistent/key.pem".into(),
        client_ca: None,
    };
    let error = tls.load().unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/cert.pem"),
        "{error}"
    );
}

#[test]
fn a_key_file_in_place_of_a_certificate_is_named() {
    let (_dir, authority) = authority();
    let (_, key) = authority.issue("east", &names()).unwrap();
    let error = ServerTls {
        cert: key.clone(),
        key,
        client_ca: None,
    }
    .load()
    .unwrap_err();
    assert!(matches!(&error, TlsError::NoCertificate { .. }), "{error}");
    assert!(error.to_string().contains("east-key.pem"), "{error}");
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (_dir, authority) = authority();
    let (cert, _) = authority.issue("east", &names()).unwrap();
    let (_, key) = authority.issue("west", &names()).unwrap();
    let error = ServerTls {
        cert,
        key,
        client_ca: None,
    }
    .load()
    .unwrap_err();
    assert!(matches!(error, TlsError::Unusable { .. }), "{error}");
}

#[test]
fn half_of_a_client_identity_is_refused() {
    let (_dir, authority) = authority();
    let (cert, _) = authority.issue("merge", &names()).unwrap();
    let tls = ClientTls {
        ca: authority.ca_path(),
        cert: Some(cert),
        key: None,
        server_name: None,
    };
    assert!(matches!(tls.load().unwrap_err(), TlsError::HalfIdentity));
}

#[test]
fn a_listener_offers_both_http_versions() {
    let (_dir, authority) = authority();
    let (cert, key) = authority.issue("east", &names()).unwrap();
    let tls = ServerTls {
        cert,
        key,
        client_ca: Some(authority.ca_path()),
    };
    assert_eq!(
        tls.load().unwrap().alpn_protocols,
        [b"h2".to_vec(), b"http/1.1".to_vec()]
    );
}
