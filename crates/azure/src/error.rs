//! What a hub answers when it refuses: names, numbers, status codes and the two envelopes.
//!
//! The header `iothub-errorcode` is the reliable way to tell errors apart; the body's `Message`
//! carries the same name. Numbers are known for the codes that clients know.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;

/// How much of a hub's words is kept.
const MAX_TEXT: usize = 300;

macro_rules! error_codes {
    ( $( $variant:ident = $status:literal, $number:expr; )+ ) => {
        /// The errors that a hub names.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $(
            #[doc = concat!("`", stringify!($variant), "`, status ", stringify!($status), ".")]
            $variant,
        )+ }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name, as the header has it.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => stringify!($variant), )+ }
            }

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )+ }
            }

            /// The number, where it is known.
            pub fn number(self) -> Option<u32> {
                match self { $( Self::$variant => $number, )+ }
            }
        }
    };
}

error_codes! {
    InvalidProtocolVersion = 400, Some(400_001);
    InvalidOperation = 400, Some(400_003);
    ArgumentInvalid = 400, Some(400_004);
    ArgumentNull = 400, Some(400_005);
    IotHubFormatError = 400, Some(400_006);
    BlobContainerValidationError = 400, Some(400_008);
    DeviceDefinedMultipleTimes = 400, Some(400_011);
    DeserializationError = 400, Some(400_012);
    BulkRegistryOperationFailure = 400, Some(400_013);
    StringIsNotThumbprint = 400, None;
    InvalidDeviceScope = 400, Some(400_028);
    InvalidPolicyKey = 400, Some(400_035);
    InvalidConfigurationTargetCondition = 400, Some(400_401);
    InvalidConfigurationContent = 400, Some(400_402);
    InvalidConfigurationCustomMetricsQuery = 400, Some(400_404);
    IotHubUnauthorizedAccess = 401, Some(401_002);
    IotHubQuotaExceeded = 403, Some(403_002);
    JobQuotaExceeded = 403, Some(403_003);
    DeviceNotFound = 404, Some(404_001);
    JobNotFound = 404, Some(404_002);
    ModuleNotFound = 404, Some(404_010);
    IotHubFailingOver = 404, Some(404_012);
    DeviceNotOnline = 404, Some(404_103);
    ConfigurationNotFound = 404, Some(404_301);
    GenericNotFound = 404, None;
    GenericMethodNotAllowed = 405, None;
    OperationNotAllowedInCurrentState = 405, Some(405_102);
    DeviceAlreadyExists = 409, Some(409_001);
    JobAlreadyExists = 409, Some(409_104);
    ModuleAlreadyExistsOnDevice = 409, Some(409_301);
    ConfigurationAlreadyExists = 409, Some(409_401);
    PreconditionFailed = 412, Some(412_001);
    MessageTooLarge = 413, Some(413_001);
    TooManyDevices = 413, Some(413_002);
    TooManyModulesOnDevice = 413, Some(413_003);
    ConfigurationCountLimitExceeded = 413, Some(413_101);
    ThrottlingException = 429, Some(429_001);
    ThrottleBacklogLimitExceeded = 429, Some(429_002);
    ThrottlingBacklogTimeout = 429, Some(429_003);
    ThrottlingMaxActiveJobCountExceeded = 429, Some(429_004);
    ServerError = 500, Some(500_001);
    ServiceUnavailable = 503, Some(503_001);
    IotHubActivationFailed = 503, Some(503_004);
    IotHubRestoring = 503, Some(503_006);
}

impl ErrorCode {
    /// The number; that of the status where none is known: `400000`.
    pub fn any_number(self) -> u32 {
        let of_status = u32::from(self.status()) * 1000;
        self.number().unwrap_or(of_status)
    }

    /// The code of a name or of a number as text.
    pub fn find(text: &str) -> Option<Self> {
        let number = text.parse().ok();
        let is_it =
            |code: &Self| code.name() == text || number.is_some() && code.number() == number;
        Self::ALL.iter().copied().find(is_it)
    }
}

/// The first envelope: `Message` and `ExceptionMessage`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    /// `ErrorCode:NAME;words`.
    #[serde(rename = "Message")]
    pub message: String,
    /// Tracking id and time.
    #[serde(rename = "ExceptionMessage")]
    pub exception_message: String,
}

impl ErrorBody {
    /// The envelope for an error. For [`ErrorCode::DeviceNotFound`] the hub's words are the id.
    pub fn new(code: ErrorCode, words: &str, tracking_id: &str, now: OffsetDateTime) -> Self {
        let (year, month, day) = now.date().to_calendar_date();
        let stamp = format!(
            "{:02}/{day:02}/{year:04} {:02}:{:02}:{:02}",
            u8::from(month),
            now.hour(),
            now.minute(),
            now.second(),
        );
        Self {
            message: format!("ErrorCode:{};{words}", code.name()),
            exception_message: format!("Tracking ID:{tracking_id}-G:0-TimeStamp:{stamp}"),
        }
    }
}

/// What a refusal says, read from whichever envelope it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubAnswer {
    /// The error's name, if it is one that we know.
    pub code: Option<ErrorCode>,
    /// The hub's words, shortened to 300 characters.
    pub text: String,
}

impl HubAnswer {
    /// Reads a refusal from the header [`crate::headers::ERROR_CODE`] and the body.
    pub fn read(header: Option<&str>, body: &[u8]) -> Self {
        let text = words(body);
        let code = header
            .and_then(ErrorCode::find)
            .or_else(|| ErrorCode::find(named(&text)?))
            .or_else(|| ErrorCode::find(&number(body)?));
        Self {
            code,
            text: text.chars().take(MAX_TEXT).collect(),
        }
    }
}

/// `NAME` of `ErrorCode:NAME;words`.
fn named(text: &str) -> Option<&str> {
    text.strip_prefix("ErrorCode:")?.split(';').next()
}

fn number(body: &[u8]) -> Option<String> {
    Some(innermost(body).get("errorCode")?.to_string())
}

/// The envelope that has the words: the second may stand as text in the first one's `Message`.
fn innermost(body: &[u8]) -> Value {
    let outer: Value = serde_json::from_slice(body).unwrap_or_default();
    let inner = outer
        .get("Message")
        .and_then(Value::as_str)
        .and_then(|text| serde_json::from_str(text).ok())
        .filter(Value::is_object);
    inner.unwrap_or(outer)
}

fn words(body: &[u8]) -> String {
    let value = innermost(body);
    ["Message", "message"]
        .iter()
        .find_map(|key| value.get(key)?.as_str())
        .map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_first_envelope_looks_like_the_hubs() {
        let now = datetime!(2023-10-24 16:57:00 UTC);
        let body = ErrorBody::new(ErrorCode::DeviceNotFound, "dev1", "abc", now);
        assert_eq!(body.message, "ErrorCode:DeviceNotFound;dev1");
        let expected = "Tracking ID:abc-G:0-TimeStamp:10/24/2023 16:57:00";
        assert_eq!(body.exception_message, expected);
    }

    #[test]
    fn the_header_wins_and_the_body_helps_out() {
        let body = br#"{"Message":"ErrorCode:DeviceNotFound;d"}"#;
        let read = HubAnswer::read(Some("PreconditionFailed"), body);
        assert_eq!(read.code, Some(ErrorCode::PreconditionFailed));
        assert_eq!(
            HubAnswer::read(None, body).code,
            Some(ErrorCode::DeviceNotFound)
        );
    }

    #[test]
    fn the_second_envelope_is_read_by_number() {
        let body = br#"{"errorCode":409301,"message":"there","trackingId":"t"}"#;
        let read = HubAnswer::read(None, body);
        assert_eq!(read.code, Some(ErrorCode::ModuleAlreadyExistsOnDevice));
        assert_eq!(read.text, "there");
    }

    #[test]
    fn a_body_that_is_no_json_is_its_own_words_shortened() {
        let read = HubAnswer::read(None, "x".repeat(1000).as_bytes());
        assert_eq!((read.code, read.text.len()), (None, MAX_TEXT));
    }

    #[test]
    fn a_code_without_a_number_has_that_of_its_status() {
        assert_eq!(ErrorCode::DeviceNotFound.any_number(), 404_001);
        assert_eq!(ErrorCode::StringIsNotThumbprint.any_number(), 400_000);
    }

    #[test]
    fn a_number_begins_with_its_status() {
        for code in ErrorCode::ALL {
            if let Some(number) = code.number() {
                assert_eq!(number / 1000, u32::from(code.status()), "{}", code.name());
            }
        }
    }
}
