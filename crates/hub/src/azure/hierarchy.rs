//! Where a device stands among edge devices, told in the scopes of this hub.
//!
//! A hub makes the scopes of its edge devices itself, so that a parent is looked up by its id
//! before a child is put below it. Keeps true: nothing is put below a parent that is not there;
//! what is there already may stay, even where the parent went since.

use hubshift_azure::{device_id, path};

use super::calls::{WireDevice, absent, get_identity, put_identity};
use super::convert::{self, there};
use super::transport::Call;
use crate::device::Identity;
use crate::outcome::{HubError, Rejection};

/// The scope of the parent at this hub; nothing if there is to be none. `own` is what the hub holds
/// of the device now.
pub(super) async fn scope_above(
    call: &Call<'_>,
    identity: &Identity,
    own: Option<&WireDevice>,
) -> Result<Option<String>, HubError> {
    let Some(parent) = &identity.parent else {
        return Ok(None);
    };
    if let Some(scope) = own.and_then(|own| kept(own, identity)) {
        return Ok(Some(scope));
    }
    let missing = || HubError::from(Rejection::ParentMissing(parent.clone()));
    if device_id::check(parent).is_err() || !path::is_addressable(parent) {
        return Err(missing());
    }
    let found = absent(get_identity(call, parent).await)?.ok_or_else(missing)?;
    let scope = match is_edge(&found) {
        true => found.device_scope,
        false => None,
    };
    scope.map(Some).ok_or_else(missing)
}

/// The scope that a device hangs on and keeps.
fn kept(own: &WireDevice, identity: &Identity) -> Option<String> {
    let stays = is_edge(own) == identity.iot_edge && convert::parent(own) == identity.parent;
    let scope = convert::scope_above(own).filter(|_| stays);
    scope.map(str::to_owned)
}

/// Writes the place into the body of an identity. `own` is what the hub holds of the device now,
/// `scope` that of the parent.
///
/// A leaf carries its parent's scope. An edge device carries a scope of its own, which a hub makes
/// when it becomes one and wants to hear unchanged ever after, and its parent's beside it.
pub(super) fn place(body: &mut WireDevice, own: Option<&WireDevice>, scope: Option<&str>) {
    let scope = scope.map(str::to_owned);
    if !is_edge(body) {
        (body.device_scope, body.parent_scopes) = (scope, None);
        return;
    }
    body.device_scope = own.map(|own| match is_edge(own) {
        true => own.device_scope.clone().unwrap_or_default(),
        false => String::new(),
    });
    // Left out, a hub would detach it just the same; said, it is seen on the wire.
    body.parent_scopes = match own {
        Some(_) => Some(scope.into_iter().collect()),
        None => scope.map(|scope| vec![scope]),
    };
}

/// Writes the place once more where the first write did not take it: a leaf that was an edge
/// device loses its parent, and an edge device that was a leaf has its scope only now.
pub(super) async fn settled(
    call: &Call<'_>,
    identity: &Identity,
    mut body: WireDevice,
    written: WireDevice,
    scope: Option<&str>,
) -> Result<WireDevice, HubError> {
    if convert::parent(&written) == identity.parent {
        return Ok(written);
    }
    place(&mut body, Some(&written), scope);
    let etag = there(written.etag, "etag")?;
    put_identity(call, &identity.device_id, &body, Some(&etag)).await
}

fn is_edge(device: &WireDevice) -> bool {
    device.capabilities.unwrap_or_default().iot_edge
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Capabilities;

    use super::*;
    use crate::credentials::Credentials;

    fn device(iot_edge: bool, scope: Option<&str>) -> WireDevice {
        WireDevice {
            capabilities: Some(Capabilities { iot_edge }),
            device_scope: scope.map(str::to_owned),
            ..WireDevice::default()
        }
    }

    #[test]
    fn a_device_that_stays_where_it_is_keeps_its_scope() {
        let scope = "ms-azure-iot-edge://gw-63";
        let mut wanted = Identity {
            device_id: "d".to_owned(),
            enabled: true,
            status_reason: None,
            credentials: Credentials::Ca,
            iot_edge: false,
            parent: Some("gw".to_owned()),
            managed_by: None,
        };
        let own = device(false, Some(scope));
        assert_eq!(kept(&own, &wanted).as_deref(), Some(scope));
        wanted.parent = Some("other".to_owned());
        assert_eq!(kept(&own, &wanted), None);
        wanted.parent = Some("gw".to_owned());
        wanted.iot_edge = true;
        assert_eq!(kept(&own, &wanted), None);
    }

    fn placed(iot_edge: bool, own: Option<&WireDevice>, scope: Option<&str>) -> WireDevice {
        let mut body = device(iot_edge, None);
        place(&mut body, own, scope);
        body
    }

    #[test]
    fn a_leaf_carries_its_parents_scope_or_none() {
        let below = placed(false, None, Some("gw-1"));
        assert_eq!(below.device_scope.as_deref(), Some("gw-1"));
        assert_eq!(below.parent_scopes, None);
        let was_edge = device(true, Some("own-1"));
        assert_eq!(placed(false, Some(&was_edge), None).device_scope, None);
    }

    #[test]
    fn an_edge_device_carries_its_own_scope_and_its_parents_beside_it() {
        let new = placed(true, None, Some("gw-1"));
        assert_eq!(new.device_scope, None);
        assert_eq!(new.parent_scopes, Some(vec!["gw-1".to_owned()]));
        let own = device(true, Some("own-1"));
        let moved = placed(true, Some(&own), Some("gw-2"));
        assert_eq!(moved.device_scope.as_deref(), Some("own-1"));
        assert_eq!(moved.parent_scopes, Some(vec!["gw-2".to_owned()]));
        let detached = placed(true, Some(&own), None);
        assert_eq!(detached.device_scope.as_deref(), Some("own-1"));
        assert_eq!(detached.parent_scopes, Some(Vec::new()));
    }

    #[test]
    fn a_leaf_that_becomes_an_edge_device_gives_up_its_parents_scope() {
        let leaf = device(false, Some("gw-1"));
        let body = placed(true, Some(&leaf), None);
        assert_eq!(body.device_scope.as_deref(), Some(""));
    }
}
