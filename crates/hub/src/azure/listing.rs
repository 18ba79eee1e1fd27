//! The listing: devices, then modules, then configurations, page by page.
//!
//! Rows carry both etags, so that a pass over a hub finds what changed without reading keys. A
//! cursor says what it is of: `d:`, `m:` or `c:` before the hub's own; one without is of devices.

use hubshift_azure::{ConnectionState, Twin, headers, wire_time};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::transport::{Call, Class, Request};
use super::wire::ModuleRow;
use super::{Kinds, configuration};
use crate::device::{Page, Summary};
use crate::key::Key;
use crate::outcome::{Cause, HubError, Rejection};

/// The most rows that Azure gives in one page.
pub(super) const MAX_PAGE: u32 = 1000;

/// What a page is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Devices,
    Modules,
    Configurations,
}

/// Where a page starts: in which phase, and after what of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place<'a> {
    phase: Phase,
    continuation: Option<&'a str>,
}

impl Phase {
    fn mark(self) -> &'static str {
        match self {
            Self::Devices => "d:",
            Self::Modules => "m:",
            Self::Configurations => "c:",
        }
    }

    /// What the hub lists here, for a person, and the setting that leaves it out.
    fn beside_devices(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Devices => None,
            Self::Modules => Some(("modules", "without_modules")),
            Self::Configurations => Some(("configurations", "without_configurations")),
        }
    }

    /// Whether it is asked for.
    fn is_listed(self, kinds: Kinds) -> bool {
        match self {
            Self::Devices => true,
            Self::Modules => kinds.modules,
            Self::Configurations => kinds.configurations,
        }
    }

    /// The phase after this one, of those that are asked for.
    fn next(self, kinds: Kinds) -> Option<Self> {
        let later: &[Self] = match self {
            Self::Devices => &[Self::Modules, Self::Configurations],
            Self::Modules => &[Self::Configurations],
            Self::Configurations => &[],
        };
        later.iter().copied().find(|phase| phase.is_listed(kinds))
    }
}

impl<'a> Place<'a> {
    fn read(cursor: Option<&'a str>) -> Self {
        let text = cursor.unwrap_or_default();
        let marked = [Phase::Devices, Phase::Modules, Phase::Configurations]
            .into_iter()
            .find_map(|phase| Some((phase, text.strip_prefix(phase.mark())?)));
        let (phase, rest) = marked.unwrap_or((Phase::Devices, text));
        Self {
            phase,
            continuation: Some(rest).filter(|rest| !rest.is_empty()),
        }
    }

    /// The cursor of the page after this one, if the hub says how it goes on.
    fn after(self, continuation: Option<String>, kinds: Kinds) -> Option<String> {
        match continuation {
            Some(rest) => Some(format!("{}{rest}", self.phase.mark())),
            None => self.phase.next(kinds).map(|next| next.mark().to_owned()),
        }
    }

    /// A hub that lists devices and refuses the very first page of another kind has none of it, or
    /// its policy does not let it be read. A listing from the start would end here again.
    fn refused(self, error: HubError) -> HubError {
        let (kind, setting) = match self.phase.beside_devices() {
            Some(found) if self.continuation.is_none() => found,
            _ => return error,
        };
        match error {
            HubError::Rejected(
                Rejection::Unauthorized(_) | Rejection::Invalid(_) | Rejection::NotFound,
            ) => Rejection::Unauthorized(format!(
                "it lists devices and no {kind}: {error}; let the policy read them, or connect the \
                 hub with {setting}"
            ))
            .into(),
            other => other,
        }
    }
}

pub(super) async fn page(
    call: &Call<'_>,
    cursor: Option<&str>,
    page_size: u32,
    kinds: Kinds,
) -> Result<Page, HubError> {
    let place = Place::read(cursor);
    if !place.phase.is_listed(kinds) {
        // The cursor is of a listing that began when it was.
        return Ok(Page {
            rows: Vec::new(),
            next: place.after(None, kinds),
        });
    }
    let (rows, continuation) = rows(call, place, page_size)
        .await
        .map_err(|error| place.refused(error))?;
    Ok(Page {
        rows,
        next: place.after(continuation, kinds),
    })
}

/// Devices that are connected. The hub picks them, by the same index that lists them.
pub(super) async fn connected(
    call: &Call<'_>,
    cursor: Option<&str>,
    page_size: u32,
) -> Result<Page, HubError> {
    let text = "select * from devices where connectionState = 'Connected'";
    let size = page_size.clamp(1, MAX_PAGE).to_string();
    let (twins, next) = query(call, text, cursor, &size).await?;
    let mut rows = all(twins, device_row)?;
    rows.retain(|row| row.connected);
    Ok(Page { rows, next })
}

/// What is at a place, and how its phase goes on.
async fn rows(
    call: &Call<'_>,
    place: Place<'_>,
    page_size: u32,
) -> Result<(Vec<Summary>, Option<String>), HubError> {
    let size = page_size.clamp(1, MAX_PAGE).to_string();
    let rest = place.continuation;
    match place.phase {
        Phase::Devices => {
            let (twins, next) = query(call, "select * from devices", rest, &size).await?;
            Ok((all(twins, device_row)?, next))
        }
        Phase::Modules => {
            let (twins, next) = query(call, "select * from devices.modules", rest, &size).await?;
            Ok((all(twins, module_row)?, next))
        }
        Phase::Configurations => Ok((configuration::list(call).await?, None)),
    }
}

/// A page of a query, and how it goes on.
async fn query<T: DeserializeOwned>(
    call: &Call<'_>,
    text: &str,
    continuation: Option<&str>,
    size: &str,
) -> Result<(Vec<T>, Option<String>), HubError> {
    let request = Request::new(Class::Query, Method::POST, &["devices", "query"])
        .body(&json!({ "query": text }))
        .header(headers::MAX_ITEM_COUNT, size);
    let request = match continuation {
        Some(rest) => request.header(headers::CONTINUATION, rest),
        None => request,
    };
    let reply = call.send(request).await?;
    let rows = reply.json()?;
    let next = reply
        .header(headers::CONTINUATION)
        .filter(|next| !next.is_empty());
    Ok((rows, next.map(str::to_owned)))
}

fn all<T>(
    rows: Vec<T>,
    row: impl Fn(T) -> Result<Summary, HubError>,
) -> Result<Vec<Summary>, HubError> {
    rows.into_iter().map(row).collect()
}

fn device_row(twin: Twin) -> Result<Summary, HubError> {
    if twin.device_id.is_empty() {
        return Err(missing("deviceId"));
    }
    Ok(Summary {
        identity_etag: twin.device_etag.ok_or_else(|| missing("deviceEtag"))?,
        twin_etag: twin.etag.ok_or_else(|| missing("etag"))?,
        twin_version: twin.version.ok_or_else(|| missing("version"))?,
        connected: twin.connection_state == Some(ConnectionState::Connected),
        last_activity: twin
            .last_activity_time
            .as_deref()
            .and_then(wire_time::parse),
        device_id: twin.device_id,
    })
}

/// What a module's row leaves out is read from the hub itself: no etag is the empty one.
fn module_row(row: ModuleRow) -> Result<Summary, HubError> {
    if row.device_id.is_empty() || row.module_id.is_empty() {
        return Err(missing("deviceId or moduleId"));
    }
    Ok(Summary {
        device_id: Key::Module(&row.device_id, &row.module_id).to_string(),
        identity_etag: row.device_etag.unwrap_or_default(),
        twin_etag: row.etag.unwrap_or_default(),
        twin_version: row.version.unwrap_or_default(),
        connected: row.connection_state == Some(ConnectionState::Connected),
        last_activity: row.last_activity_time.as_deref().and_then(wire_time::parse),
    })
}

fn missing(field: &str) -> HubError {
    Cause::Unreadable(format!("a row of the listing has no {field}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Kinds = Kinds {
        modules: true,
        configurations: true,
    };

    fn next(cursor: Option<&str>, continuation: Option<&str>, kinds: Kinds) -> Option<String> {
        Place::read(cursor).after(continuation.map(str::to_owned), kinds)
    }

    #[test]
    fn one_phase_follows_the_other() {
        assert_eq!(next(None, Some("x"), ALL).as_deref(), Some("d:x"));
        assert_eq!(next(Some("d:x"), None, ALL).as_deref(), Some("m:"));
        assert_eq!(next(Some("m:"), Some("d:1"), ALL).as_deref(), Some("m:d:1"));
        assert_eq!(next(Some("m:d:1"), None, ALL).as_deref(), Some("c:"));
        assert_eq!(next(Some("c:"), None, ALL), None);
    }

    #[test]
    fn kinds_that_are_not_asked_for_are_passed_over() {
        let without = |modules, configurations| Kinds {
            modules,
            configurations,
        };
        assert_eq!(
            next(None, None, without(false, true)).as_deref(),
            Some("c:")
        );
        assert_eq!(next(None, None, without(false, false)), None);
        assert_eq!(next(Some("m:"), None, without(true, false)), None);
    }

    #[test]
    fn a_kind_that_a_hub_never_lists_is_named_with_the_way_out() {
        let refused = |cursor, rejection: Rejection| {
            let error = Place::read(Some(cursor)).refused(rejection.clone().into());
            (error != rejection.into()).then(|| error.to_string())
        };
        let forbidden = || Rejection::Unauthorized("403".to_owned());
        let text = refused("c:", forbidden()).unwrap();
        assert!(text.contains("without_configurations") && text.contains("403"));
        let unknown = Rejection::Invalid("400".to_owned());
        assert!(refused("m:", unknown.clone()).is_some());
        // It went well until there, or it is the devices themselves.
        assert_eq!(refused("m:x", unknown.clone()), None);
        assert_eq!(refused("d:", unknown), None);
        assert_eq!(refused("", forbidden()), None);
        assert_eq!(
            refused("c:", Rejection::Unavailable("503".to_owned())),
            None
        );
    }

    #[test]
    fn a_cursor_without_a_mark_is_one_of_devices() {
        let place = Place::read(Some("{\"token\": 1}"));
        assert_eq!(place.phase, Phase::Devices);
        assert_eq!(place.continuation, Some("{\"token\": 1}"));
        assert_eq!(Place::read(Some("m:")).continuation, None);
    }

    #[test]
    fn a_modules_row_without_etags_is_a_row() {
        let row = |json| module_row(serde_json::from_value(json).unwrap());
        let found = row(json!({"deviceId": "d", "moduleId": "m"})).unwrap();
        assert_eq!(found.device_id, "d/m");
        assert!(found.identity_etag.is_empty() && found.twin_etag.is_empty());
        assert!(row(json!({"deviceId": "d"})).is_err());
    }
}
