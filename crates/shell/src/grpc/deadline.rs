//! Deadlines of calls: what the client announced in `grpc-timeout`, at most [`CAP`].
//!
//! The deadline runs until the response begins. A call that streams its request is not capped,
//! and a call that announces nothing is not cut: a watch may live as long as its client.

use std::time::Duration;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hubshift_api::fault;
use tonic::Code;

use super::methods;

/// The longest that a unary call may take, whatever its client announced.
const CAP: Duration = Duration::from_secs(60);

/// The middleware.
pub(super) async fn enforce(request: Request, next: Next) -> Response {
    let announced = request
        .headers()
        .get("grpc-timeout")
        .and_then(|v| v.to_str().ok());
    let Some(announced) = announced.and_then(parse) else {
        return next.run(request).await;
    };
    let capped = !methods::find(request.uri().path()).streams_request;
    let deadline = if capped {
        announced.min(CAP)
    } else {
        announced
    };
    match tokio::time::timeout(deadline, next.run(request)).await {
        Ok(response) => response,
        Err(_) => expired(deadline),
    }
}

fn expired(deadline: Duration) -> Response {
    let text = format!(
        "the call took longer than its deadline of {} ms",
        deadline.as_millis()
    );
    fault::status(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", text).into_http()
}

/// Reads a `grpc-timeout`: up to eight digits and one of `H M S m u n`.
fn parse(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let well_formed = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    let value: u64 = if well_formed {
        digits.parse().ok()?
    } else {
        return None;
    };
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_header_is_read() {
        assert_eq!(parse("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(parse("3M"), Some(Duration::from_secs(180)));
        assert_eq!(parse("15S"), Some(Duration::from_secs(15)));
        assert_eq!(parse("250m"), Some(Duration::from_millis(250)));
        assert_eq!(parse("99999999u"), Some(Duration::from_micros(99_999_999)));
        assert_eq!(parse("1n"), Some(Duration::from_nanos(1)));
    }

    #[test]
    fn a_malformed_header_counts_as_absent() {
        for text in ["", "S", "5", "5s", "-1S", "123456789S", "1.5S", "5é"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
