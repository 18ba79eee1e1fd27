//! Azure's roles for the data of a hub, and the one for the hub as a resource.

use crate::operation::{Class, Operation};
use crate::outage::CallKind;

/// What an application may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Everything with the hub's data.
    DataContributor,
    /// Reading all of the hub's data.
    DataReader,
    /// Identities.
    RegistryContributor,
    /// Twins, and queries for them.
    TwinContributor,
    /// The hub as a resource; nothing with its data.
    Contributor,
}

impl Role {
    /// Reads a name: Azure's (`IoT Hub Data Reader`) or a short one (`data-reader`), in any case.
    pub(crate) fn find(text: &str) -> Option<Self> {
        let is_letter = |c: &char| c.is_ascii_alphabetic();
        let name: String = text.chars().filter(is_letter).collect();
        let name = name.to_ascii_lowercase();
        match name.strip_prefix("iothub").unwrap_or(&name) {
            "datacontributor" => Some(Self::DataContributor),
            "datareader" => Some(Self::DataReader),
            "registrycontributor" => Some(Self::RegistryContributor),
            "twincontributor" => Some(Self::TwinContributor),
            "contributor" => Some(Self::Contributor),
            _ => None,
        }
    }

    /// Whether the role allows an operation of a service. Which data action a statistic and a
    /// query take is inferred: that of what they read.
    pub(crate) fn allows(self, operation: &Operation) -> bool {
        match self {
            Self::DataContributor => operation.kind() != CallKind::Device,
            Self::DataReader => operation.kind() == CallKind::Read,
            Self::RegistryContributor => {
                operation.class() == Class::Registry || *operation == Operation::DeviceStatistics
            }
            Self::TwinContributor => matches!(
                operation.class(),
                Class::TwinRead | Class::TwinWrite | Class::Query
            ),
            Self::Contributor => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_has_azures_name_and_a_short_one() {
        let names = ["IoT Hub Data Contributor", "data-contributor"];
        assert_eq!(names.map(Role::find), [Some(Role::DataContributor); 2]);
        let twins = Role::find("IoT Hub Twin Contributor");
        assert_eq!(twins, Some(Role::TwinContributor));
        assert_eq!(Role::find("Contributor"), Some(Role::Contributor));
        assert_eq!(Role::find("Owner"), None);
    }

    #[test]
    fn each_role_allows_its_own() {
        let put = Operation::PutDevice("d".to_owned());
        let patch = Operation::PatchTwin("d".to_owned());
        let send = Operation::SendEvent("d".to_owned());
        let export = Operation::CreateJob;
        let calls = [
            &Operation::ListDevices,
            &put,
            &Operation::Query,
            &patch,
            &export,
            &send,
        ];
        let allowed = |role: Role| calls.map(|call| role.allows(call));
        let (yes, no) = (true, false);
        let expected = [
            (Role::DataContributor, [yes, yes, yes, yes, yes, no]),
            (Role::DataReader, [yes, no, yes, no, no, no]),
            (Role::RegistryContributor, [yes, yes, no, no, no, no]),
            (Role::TwinContributor, [no, no, yes, yes, no, no]),
            (Role::Contributor, [no; 6]),
        ];
        for (role, calls) in expected {
            assert_eq!(allowed(role), calls, "{role:?}");
        }
    }
}
