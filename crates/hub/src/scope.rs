//! Edge scopes: how a hub names the place of an edge device among its parents and children.
//!
//! A hub makes a scope itself, from the device's id and the time, so that the same gateway has
//! another one at every hub. What travels between hubs is the id.

const PREFIX: &str = "ms-azure-iot-edge://";

/// The id of the device that a scope is of: `ms-azure-iot-edge://ID-TICKS`.
///
/// A scope that looks otherwise is given back whole. Nothing is called so, so that a child of it
/// has a parent that cannot be found, instead of none.
pub(crate) fn device_of(scope: &str) -> &str {
    let parts = scope
        .strip_prefix(PREFIX)
        .and_then(|rest| rest.rsplit_once('-'));
    match parts {
        Some((id, ticks)) if !id.is_empty() && is_number(ticks) => id,
        _ => scope,
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_what_stands_before_the_last_number() {
        for id in ["gw", "gw-7", "a-1-2-3", "7", "-", "x:y%$"] {
            let scope = format!("{PREFIX}{id}-638123456789012345");
            assert_eq!(device_of(&scope), id);
        }
    }

    #[test]
    fn another_form_is_no_device_and_not_nothing() {
        for scope in [
            "gw-638",
            "ms-azure-iot-edge://gw",
            "ms-azure-iot-edge://gw-",
            "ms-azure-iot-edge://gw-6x",
            "ms-azure-iot-edge://-638",
            "",
        ] {
            assert_eq!(device_of(scope), scope);
        }
    }
}
