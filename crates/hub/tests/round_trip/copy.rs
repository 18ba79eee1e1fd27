//! The way of a registry: made at one hub, read there, written at another, read again.

use std::collections::BTreeMap;

use hubshift_hub::{AzureHub, DeviceWrite, Hub, HubDevice, HubError, Rejection};
use proptest::test_runner::TestCaseError;

use crate::common::{pair, rewrite};
use crate::registry::Registry;

/// A registry as a hub holds it, without what is each hub's own.
type Held = BTreeMap<String, DeviceWrite>;

/// Makes the registry at a hub, copies it to an empty one, and compares both with each other and
/// with what was meant.
pub(crate) async fn copies(registry: &Registry) -> Result<(), TestCaseError> {
    let (_east, source) = pair().await;
    let (_west, target) = pair().await;
    let meant: Vec<DeviceWrite> = registry.writes().cloned().collect();
    fill(&source, meant.clone()).await?;
    let held = read(&source).await?;
    for write in &meant {
        let key = &write.identity.device_id;
        if held.get(key) != Some(write) {
            return fail(format!("{key} was made as another: {:?}", held.get(key)));
        }
    }
    // What the hub made itself (system modules) travels, too.
    fill(&target, held.values().cloned().collect()).await?;
    let copied = read(&target).await?;
    let differing: Vec<&String> = held
        .keys()
        .chain(copied.keys())
        .filter(|key| held.get(*key) != copied.get(*key))
        .collect();
    if differing.is_empty() {
        Ok(())
    } else {
        fail(format!("not the same at both: {differing:?}"))
    }
}

/// Creates everything, parents first by going round: what lacks its parent waits for the next.
async fn fill(hub: &AzureHub, mut todo: Vec<DeviceWrite>) -> Result<(), TestCaseError> {
    while !todo.is_empty() {
        let before = todo.len();
        let mut waiting = Vec::new();
        for write in todo {
            match hub.create(&write).await.into_result() {
                Ok(_) => {}
                Err(HubError::Rejected(Rejection::ParentMissing)) => waiting.push(write),
                // The hub's own modules come with their device, and with nothing in them.
                Err(HubError::Rejected(Rejection::AlreadyExists)) if is_system(&write) => {}
                Err(error) => return fail(format!("{}: {error}", write.identity.device_id)),
            }
        }
        if waiting.len() == before {
            return fail("a parent that never comes".to_owned());
        }
        todo = waiting;
    }
    Ok(())
}

fn is_system(write: &DeviceWrite) -> bool {
    write.identity.device_id.contains("/$")
}

async fn read(hub: &AzureHub) -> Result<Held, TestCaseError> {
    let mut held = Held::new();
    let mut cursor = None;
    loop {
        let page = done(hub.list(cursor, 1000).await.into_result())?;
        for row in page.rows {
            let found = done(hub.get(&row.device_id).await.into_result())?;
            let Some(device) = found else {
                return fail(format!("{} is listed and not there", row.device_id));
            };
            check_etags(&device, &row.identity_etag, &row.twin_etag)?;
            held.insert(row.device_id, rewrite(&device));
        }
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(held),
        }
    }
}

/// The listing's etags are those that a read shows: otherwise every pass would read everything.
fn check_etags(device: &HubDevice, identity: &str, twin: &str) -> Result<(), TestCaseError> {
    if (device.identity_etag.as_str(), device.twin_etag.as_str()) == (identity, twin) {
        return Ok(());
    }
    fail(format!(
        "{}: the listing has other etags",
        device.identity.device_id
    ))
}

fn done<T>(result: Result<T, HubError>) -> Result<T, TestCaseError> {
    result.map_err(|error| TestCaseError::fail(error.to_string()))
}

fn fail<T>(text: String) -> Result<T, TestCaseError> {
    Err(TestCaseError::fail(text))
}
