//! A hub's own name, as its events have it: the first label of its host.

/// Whether an event of `hub_name` is of the hub at this host. Names know no case.
pub(super) fn is_of(hub_name: &str, host: &str) -> bool {
    let name = host.split(['.', ':']).next().unwrap_or_default();
    hub_name.eq_ignore_ascii_case(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_of_the_host_counts() {
        assert!(is_of("ACME-east", "acme-east.azure-devices.net"));
        assert!(is_of("localhost", "localhost:8443"));
        assert!(!is_of("acme", "acme-east.azure-devices.net"));
        assert!(!is_of("", "acme-east.azure-devices.net"));
    }
}
