//! Checks of requests: every violation is collected before anything is refused.

use hubshift_domain::id::{self, DeviceId, FleetId, HubId, IdError, RecordKey};
use tonic::Status;
use uuid::Uuid;

use crate::fault;

/// No problem is told at greater length, characters. Most repeat what somebody sent, which may be as
/// long as a request; a status travels in headers, and clients take few of those.
const LONGEST: usize = 512;
/// So many of them are its end, where it says what was expected.
const ITS_END: usize = 256;

/// Collects violations. Each check returns the value if it is good.
#[derive(Debug, Default)]
pub struct Checks {
    violations: Vec<(String, String)>,
}

impl Checks {
    /// Nothing found yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a field is wrong.
    pub fn violation(&mut self, field: &str, problem: impl Into<String>) {
        let problem = shortened(problem.into());
        self.violations.push((field.to_owned(), problem));
    }

    /// Takes a result, noting its error under the field.
    pub fn take<T>(&mut self, field: &str, result: Result<T, IdError>) -> Option<T> {
        result
            .map_err(|error| self.violation(field, error.to_string()))
            .ok()
    }

    /// `fleets/{fleet}`.
    pub fn fleet(&mut self, field: &str, name: &str) -> Option<FleetId> {
        self.take(field, id::parse_fleet(name))
    }

    /// `fleets/{fleet}/hubs/{hub}`.
    pub fn hub_name(&mut self, field: &str, name: &str) -> Option<(FleetId, HubId)> {
        self.take(field, id::parse_hub(name))
    }

    /// `fleets/{fleet}/devices/{device}`.
    pub fn device_name(&mut self, field: &str, name: &str) -> Option<(FleetId, DeviceId)> {
        self.take(field, id::parse_device(name))
    }

    /// A hub's slug.
    pub fn hub(&mut self, field: &str, slug: &str) -> Option<HubId> {
        self.take(field, HubId::new(slug))
    }

    /// A device's id.
    pub fn device(&mut self, field: &str, text: &str) -> Option<DeviceId> {
        self.take(field, DeviceId::new(text))
    }

    /// The key of a device, module or configuration.
    pub fn key(&mut self, field: &str, text: &str) -> Option<RecordKey> {
        self.take(field, RecordKey::new(text))
    }

    /// `fleets/{fleet}/{collection}/{uuid}`.
    pub fn child(
        &mut self,
        field: &str,
        name: &str,
        collection: &str,
        pattern: &'static str,
    ) -> Option<(FleetId, Uuid)> {
        let (fleet, id) = self.take(field, id::parse_child(name, collection, pattern))?;
        Some((fleet, self.id_of(field, id, collection)?))
    }

    /// `fleets/{fleet}/hubs/{hub}/{collection}/{uuid}`.
    pub fn hub_child(
        &mut self,
        field: &str,
        name: &str,
        collection: &str,
        pattern: &'static str,
    ) -> Option<(FleetId, HubId, Uuid)> {
        let parsed = id::parse_hub_child(name, collection, pattern);
        let (fleet, hub, id) = self.take(field, parsed)?;
        Some((fleet, hub, self.id_of(field, id, collection)?))
    }

    fn id_of(&mut self, field: &str, id: &str, collection: &str) -> Option<Uuid> {
        let parsed = Uuid::parse_str(id).ok();
        if parsed.is_none() {
            let problem = format!("`{id}` is not the id of one of its {collection}");
            self.violation(field, problem);
        }
        parsed
    }

    /// A required request id.
    pub fn request_id(&mut self, text: &str) -> Option<Uuid> {
        let parsed = Uuid::parse_str(text).ok();
        if parsed.is_none() {
            self.violation(
                "request_id",
                "is required: a UUID, the same for every repetition",
            );
        }
        parsed
    }

    /// A text of `1..=max` characters.
    pub fn text(&mut self, field: &str, text: &str, max: usize) {
        match text.chars().count() {
            0 => self.violation(field, "is required"),
            n if n > max => self.violation(field, format!("has {n} characters, at most {max}")),
            _ => {}
        }
    }

    /// A page size: 0 means the default of 50, at most 1000.
    pub fn page_size(&mut self, size: i32) -> i64 {
        match size {
            0 => 50,
            1..=1000 => i64::from(size),
            _ => {
                self.violation("page_size", "must be 0 to 1000");
                50
            }
        }
    }

    /// Refuses when anything was found.
    pub fn done(self) -> Result<(), Status> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(fault::invalid(self.violations))
        }
    }

    /// The value of a check that must have been good when nothing was found.
    pub fn require<T>(self, value: Option<T>) -> Result<T, Status> {
        self.done()?;
        value.ok_or_else(fault::internal)
    }
}

/// The text; of one that is too long, its begin and its end.
fn shortened(text: String) -> String {
    let count = text.chars().count();
    if count <= LONGEST {
        return text;
    }
    let begin: String = text.chars().take(LONGEST - ITS_END).collect();
    let end: String = text.chars().skip(count - ITS_END).collect();
    format!("{begin}…{end}")
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn what_somebody_sent_is_not_told_at_any_length() {
        let mut checks = Checks::new();
        let _checked = checks.device("device", &"ü".repeat(15_000));
        let _checked = checks.hub("hub", "East");
        let refused = checks.done().unwrap_err();
        assert!(refused.message().len() < 2_000 && refused.details().len() < 4_000);
        let fields = refused.get_details_bad_request().unwrap().field_violations;
        assert!(fields[0].description.starts_with("`üüü"));
        assert!(fields[0].description.contains("is not a device id: use 1"));
        assert!(fields[1].description.starts_with("`East` is not a slug"));
    }
}
