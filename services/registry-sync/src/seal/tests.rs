//! Sealing opens for its own device only, and keys outlive the process.

use hubshift_hub::Secret;

use super::*;
use crate::secret::SecretRef;

/// Keys of a fleet, the same for the same byte.
pub(crate) fn keys(byte: u8) -> FleetKeys {
    FleetKeys {
        fleet: FleetId::new("acme").unwrap(),
        fingerprint: FingerprintKey::new([byte; 32]),
        data: cipher(&[byte; 32]),
    }
}

fn sas() -> Credentials {
    Credentials::Sas {
        primary: Secret::new("Y2FuYXJ5"),
        secondary: Secret::new("Y2FuYXJ5Mg=="),
    }
}

#[test]
fn sealed_credentials_open_for_their_own_device_and_key_only() {
    let keys = keys(1);
    let sealed = keys.seal("d-1", &sas()).unwrap();
    assert_eq!(keys.open("d-1", &sealed).unwrap(), sas());
    assert!(matches!(keys.open("d-2", &sealed), Err(KeyError::Damaged)));
    assert!(matches!(
        super::tests::keys(2).open("d-1", &sealed),
        Err(KeyError::Damaged)
    ));
    for cut in [0, 1, 20, sealed.len() - 1] {
        assert!(keys.open("d-1", &sealed[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn equal_credentials_have_equal_fingerprints_and_different_seals() {
    let keys = keys(1);
    assert_ne!(
        keys.seal("d-1", &sas()).unwrap(),
        keys.seal("d-1", &sas()).unwrap()
    );
    assert_eq!(
        keys.credential("d-1", &sas()),
        keys.credential("d-1", &sas())
    );
    let rotated = Credentials::Sas {
        primary: Secret::new("YQ=="),
        secondary: Secret::new("YQ=="),
    };
    assert_ne!(
        keys.credential("d-1", &sas()),
        keys.credential("d-1", &rotated)
    );
}

#[test]
fn a_missing_kek_file_is_made_only_when_asked_for_and_then_stays() {
    let dir = tempfile::tempdir().unwrap();
    let from = SecretRef::File(dir.path().join("keys/kek"));
    assert!(matches!(Kek::load(&from, false), Err(KeyError::Missing(_))));
    let made = Kek::load(&from, true).unwrap();
    assert_eq!(Kek::load(&from, true).unwrap().id(), made.id());
    std::fs::write(dir.path().join("keys/kek"), "short").unwrap();
    assert!(matches!(Kek::load(&from, false), Err(KeyError::NotAKey)));
}

#[test]
fn a_wrapped_key_opens_for_its_own_fleet_only() {
    let kek = Kek::of(&[9; 32]);
    let (acme, other) = (
        FleetId::new("acme").unwrap(),
        FleetId::new("other").unwrap(),
    );
    let wrapped = kek.wrap(&acme, "data", &[7; 32]).unwrap();
    assert_eq!(kek.unwrap(&acme, "data", &wrapped).unwrap(), [7; 32]);
    assert!(kek.unwrap(&other, "data", &wrapped).is_err());
    assert!(kek.unwrap(&acme, "fingerprint", &wrapped).is_err());
    assert!(!format!("{kek:?}").contains('9') || kek.id().contains('9'));
}

#[tokio::test]
async fn a_fleets_keys_are_made_once_and_another_kek_is_refused() {
    let database = hubshift_testkit::pg::Database::fresh().await.unwrap();
    let pool = database
        .connect(hubshift_testkit::pg::Role::Registry)
        .await
        .unwrap();
    let fleet = FleetId::new("acme").unwrap();
    let first = Keyring::new(Kek::of(&[1; 32]))
        .fleet(&pool, &fleet)
        .await
        .unwrap();
    let again = Keyring::new(Kek::of(&[1; 32]))
        .fleet(&pool, &fleet)
        .await
        .unwrap();
    let sealed = first.seal("d-1", &sas()).unwrap();
    assert_eq!(again.open("d-1", &sealed).unwrap(), sas());
    let foreign = Keyring::new(Kek::of(&[2; 32])).fleet(&pool, &fleet).await;
    assert!(matches!(foreign, Err(KeyError::ForeignKek(_))));
}
