//! The listing: a query over all twins, page by page.
//!
//! Rows carry both etags, so that a pass over a hub finds what changed without reading keys.

use hubshift_azure::{ConnectionState, Twin, headers, wire_time};
use reqwest::Method;
use serde_json::json;

use super::transport::{Call, Class, Request};
use crate::device::{Page, Summary};
use crate::outcome::{Cause, HubError};

/// The most rows that Azure gives in one page.
pub(super) const MAX_PAGE: u32 = 1000;

pub(super) async fn page(
    call: &Call<'_>,
    cursor: Option<&str>,
    page_size: u32,
) -> Result<Page, HubError> {
    let size = page_size.clamp(1, MAX_PAGE).to_string();
    let request = Request::new(Class::Query, Method::POST, &["devices", "query"])
        .body(&json!({ "query": "select * from devices" }))
        .header(headers::MAX_ITEM_COUNT, &size);
    let request = match cursor {
        Some(cursor) => request.header(headers::CONTINUATION, cursor),
        None => request,
    };
    let reply = call.send(request).await?;
    let twins: Vec<Twin> = reply.json()?;
    let rows = twins.into_iter().map(row).collect::<Result<_, _>>()?;
    let next = reply
        .header(headers::CONTINUATION)
        .filter(|next| !next.is_empty());
    Ok(Page {
        rows,
        next: next.map(str::to_owned),
    })
}

fn row(twin: Twin) -> Result<Summary, HubError> {
    let missing = |field: &str| {
        HubError::from(Cause::Unreadable(format!(
            "a row of the listing has no {field}"
        )))
    };
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
