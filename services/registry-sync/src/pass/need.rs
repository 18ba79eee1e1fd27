//! What one key needs at the standby, and what must be there before it. Pure.

use hubshift_domain::id::device_of_module;

use crate::observe::Observed;
use crate::store::compare::Difference;
use crate::write::Wanted;

/// What one key needs, with all that it takes.
pub(super) struct Need {
    pub(super) difference: Difference,
    pub(super) source: Option<Observed>,
    pub(super) target: Option<Observed>,
}

impl Need {
    /// What the standby is to hold; nothing for a deletion.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        let source = self.source.as_ref()?;
        Some(Wanted {
            device_id: source.device_id.clone(),
            incarnation: source.incarnation,
            record: source.record.clone(),
            sealed: source.sealed.clone(),
            hold: self.difference.hold.clone(),
        })
    }

    /// Whether it is a module.
    pub(super) fn is_module(&self) -> bool {
        device_of_module(&self.difference.device_id).is_some()
    }

    /// What must be at the standby before this can be put below it. What hangs there already stays,
    /// whatever became of its parent.
    pub(super) fn above(&self) -> Option<&str> {
        let source = self.source.as_ref()?;
        let parent = source.record.parent.as_deref();
        match &self.target {
            None => parent.or_else(|| device_of_module(&source.device_id)),
            Some(target) if target.record.parent.as_deref() == parent => None,
            Some(_) => parent,
        }
    }
}

#[cfg(test)]
mod tests {
    use hubshift_domain::identity::{Credential, CredentialKind, Fingerprint, Record};
    use serde_json::Map;
    use time::OffsetDateTime;

    use super::*;

    fn seen(key: &str, parent: Option<&str>) -> Observed {
        Observed {
            device_id: key.into(),
            generation_id: "g".into(),
            incarnation: 1,
            identity_etag: "i".into(),
            twin_etag: "t".into(),
            twin_version: 1,
            desired_version: 1,
            record: Record {
                enabled: true,
                status_reason: None,
                credential: Credential {
                    kind: CredentialKind::Ca,
                    fingerprint: Fingerprint::default(),
                },
                iot_edge: false,
                parent: parent.map(str::to_owned),
                managed_by: None,
                tags: Map::new(),
                desired: Map::new(),
            },
            sealed: Vec::new(),
            fingerprint: Fingerprint::default(),
            read_time: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn need(source: Option<Observed>, target: Option<Observed>) -> Need {
        let key = source.as_ref().or(target.as_ref()).unwrap();
        Need {
            difference: Difference {
                device_id: key.device_id.clone(),
                action: String::new(),
                hold: None,
            },
            source,
            target,
        }
    }

    #[test]
    fn a_new_child_needs_its_parent_and_a_new_module_its_device() {
        let new = |key, parent| need(Some(seen(key, parent)), None);
        assert_eq!(new("d", None).above(), None);
        assert_eq!(new("d", Some("gw")).above(), Some("gw"));
        assert_eq!(new("d/m", None).above(), Some("d"));
        assert_eq!(new("/configurations/a", None).above(), None);
        assert!(new("d/m", None).is_module() && !new("/configurations/a", None).is_module());
    }

    #[test]
    fn what_stays_where_it_is_needs_nothing_and_what_moves_its_new_parent() {
        let from = |before, now| need(Some(seen("d", now)), Some(seen("d", before)));
        assert_eq!(from(Some("gw"), Some("gw")).above(), None);
        assert_eq!(from(Some("gw"), Some("other")).above(), Some("other"));
        assert_eq!(from(Some("gw"), None).above(), None);
        let module = need(Some(seen("d/m", None)), Some(seen("d/m", None)));
        assert_eq!(module.above(), None);
        assert_eq!(need(None, Some(seen("d", Some("gw")))).above(), None);
    }
}
