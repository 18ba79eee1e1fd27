//! Versions of the REST API.

/// The version that the connector asks for.
pub const SENT: &str = "2021-04-12";

/// The only version that knows [`crate::KeyRotation`].
pub const KEY_ROTATION: &str = "2024-03-31";

/// Versions that a hub is known to accept from services.
pub const SERVICE: [&str; 5] = [
    "2018-06-30",
    "2020-05-31-preview",
    "2020-09-30",
    "2021-04-12",
    "2024-03-31",
];

/// Versions that devices send besides those of [`SERVICE`].
pub const DEVICE_ONLY: [&str; 2] = ["2019-10-01", "2020-03-13"];

/// Whether a service may speak this version.
pub fn is_accepted(version: &str) -> bool {
    SERVICE.contains(&version)
}

/// Whether a device may speak this version.
pub fn is_accepted_from_device(version: &str) -> bool {
    is_accepted(version) || DEVICE_ONLY.contains(&version)
}
