//! The second error envelope: a number instead of a name, alone or as text inside the first.
//!
//! Which errors come in it is the hub's choice; clients tell errors apart by the header.

use serde::Serialize;
use time::OffsetDateTime;

use crate::error::{ErrorBody, ErrorCode};
use crate::wire_time;

/// The second envelope: `errorCode` and `message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NumberedErrorBody {
    /// The error's number; 0 where none is known.
    pub error_code: u32,
    /// Words.
    pub message: String,
    /// The hub's id of the request, with the time.
    pub tracking_id: String,
    /// The time.
    pub timestamp_utc: String,
}

impl NumberedErrorBody {
    /// The envelope for an error.
    pub fn new(code: ErrorCode, words: &str, tracking_id: &str, now: OffsetDateTime) -> Self {
        let time = wire_time::write(now);
        Self {
            error_code: code.number().unwrap_or_default(),
            message: words.to_owned(),
            tracking_id: format!("{tracking_id}-G:0-TimeStamp:{time}"),
            timestamp_utc: time,
        }
    }

    /// This envelope as text in the first one's `Message`, as errors of direct methods come.
    pub fn nested(&self) -> ErrorBody {
        ErrorBody {
            // Text and a number can always be written.
            message: serde_json::to_string(self).unwrap_or_default(),
            exception_message: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use time::macros::datetime;

    use super::*;
    use crate::error::HubAnswer;

    const NOW: OffsetDateTime = datetime!(2026-11-23 04:05:06 UTC);

    #[test]
    fn it_has_the_number_and_no_name() {
        let code = ErrorCode::ModuleAlreadyExistsOnDevice;
        let body = NumberedErrorBody::new(code, "there", "abc", NOW);
        let expected = json!({
            "errorCode": 409_301, "message": "there",
            "trackingId": "abc-G:0-TimeStamp:2026-11-23T04:05:06.0000000Z",
            "timestampUtc": "2026-11-23T04:05:06.0000000Z",
        });
        assert_eq!(serde_json::to_value(body).unwrap(), expected);
    }

    #[test]
    fn nested_it_is_read_all_the_same() {
        let body = NumberedErrorBody::new(ErrorCode::DeviceNotOnline, "away", "abc", NOW);
        let bytes = serde_json::to_vec(&body.nested()).unwrap();
        let read = HubAnswer::read(None, &bytes);
        assert_eq!(read.code, Some(ErrorCode::DeviceNotOnline));
        assert_eq!(read.text, "away");
    }
}
