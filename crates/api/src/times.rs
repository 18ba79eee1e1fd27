//! Times and durations between wire and Rust.

use std::time::Duration;

use time::OffsetDateTime;

/// To the wire.
pub fn timestamp(time: OffsetDateTime) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: time.unix_timestamp(),
        nanos: time.nanosecond() as i32,
    }
}

/// From the wire; `None` when it is out of range.
pub fn from_timestamp(time: &prost_types::Timestamp) -> Option<OffsetDateTime> {
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}

/// To the wire; negative durations become zero.
pub fn duration(span: time::Duration) -> prost_types::Duration {
    std_duration(Duration::try_from(span).unwrap_or_default())
}

/// To the wire.
pub fn std_duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(span.as_secs()).unwrap_or(i64::MAX),
        nanos: span.subsec_nanos() as i32,
    }
}

/// From the wire; negative durations become zero.
pub fn from_duration(span: &prost_types::Duration) -> Duration {
    let seconds = u64::try_from(span.seconds).unwrap_or(0);
    Duration::new(seconds, u32::try_from(span.nanos).unwrap_or(0))
}
