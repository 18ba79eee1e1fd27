//! The name of a hub as a resource:
//! `/subscriptions/S/resourceGroups/G/providers/Microsoft.Devices/IotHubs/NAME`.

use std::fmt;
use std::str::FromStr;

use hubshift_azure::path;

/// The name of a hub as a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ResourceId {
    subscription: String,
    group: String,
    name: String,
}

/// The text is no resource id of a hub.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoResourceId;

impl ResourceId {
    /// The id that a path begins with, and what follows.
    pub(super) fn split<'a, 'b>(segments: &'b [&'a str]) -> Option<(Self, &'b [&'a str])> {
        let [
            subscriptions,
            subscription,
            groups,
            group,
            providers,
            provider,
            hubs,
            name,
            rest @ ..,
        ] = segments
        else {
            return None;
        };
        let words = [subscriptions, groups, providers, provider, hubs];
        let expected = [
            "subscriptions",
            "resourceGroups",
            "providers",
            "Microsoft.Devices",
            "IotHubs",
        ];
        let is_hub = words
            .iter()
            .zip(expected)
            .all(|(word, expected)| word.eq_ignore_ascii_case(expected));
        let has_names = [subscription, group, name]
            .iter()
            .all(|text| !text.is_empty());
        (is_hub && has_names).then(|| {
            let id = Self {
                subscription: (*subscription).to_owned(),
                group: (*group).to_owned(),
                name: (*name).to_owned(),
            };
            (id, rest)
        })
    }

    /// Whether both name the same hub. Azure minds no case in ids.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.subscription.eq_ignore_ascii_case(&other.subscription)
            && self.group.eq_ignore_ascii_case(&other.group)
            && self.name.eq_ignore_ascii_case(&other.name)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for ResourceId {
    type Err = NoResourceId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let segments = path::split(text).ok_or(NoResourceId)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match Self::split(&segments) {
            Some((id, [])) => Ok(id),
            _ => Err(NoResourceId),
        }
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subscription, group) = (&self.subscription, &self.group);
        write!(
            f,
            "/subscriptions/{subscription}/resourceGroups/{group}\
             /providers/Microsoft.Devices/IotHubs/{}",
            self.name
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_in_any_case_and_written_in_one() {
        let text = "/SUBSCRIPTIONS/s1/resourcegroups/G/providers/microsoft.devices/iothubs/Hub";
        let id: ResourceId = text.parse().unwrap();
        assert_eq!(
            id.to_string(),
            "/subscriptions/s1/resourceGroups/G/providers/Microsoft.Devices/IotHubs/Hub"
        );
        let same: ResourceId = id.to_string().to_lowercase().parse().unwrap();
        assert!(id.is_same(&same));
        assert_ne!(id, same);
    }

    #[test]
    fn what_is_no_hub_is_none() {
        for text in [
            "",
            "hub",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/x",
            "/subscriptions/s/resourceGroups//providers/Microsoft.Devices/IotHubs/h",
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/h/listkeys",
        ] {
            assert_eq!(text.parse::<ResourceId>(), Err(NoResourceId), "{text}");
        }
    }
}
