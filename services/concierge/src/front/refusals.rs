//! What a poll is told that there is no room for, or whose client asks too fast: made once for each
//! tenth of a second that it may be told to wait, and then only copied.
//!
//! Kept true: a refusal costs less than an answer. A status with its details costs more, and
//! refusing would then be no relief.

use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response};
use hubshift_api::fault;
use hubshift_shell::{CLIENT_TOO_FAST, Refusal};
use tonic::{Code, Status};

use super::body::FrontBody;
use crate::http::error_as_json;

/// Times to wait are rounded up to so many milliseconds.
const STEP: u128 = 100;
/// Up to ten seconds: no thread that lags says more.
const STEPS: usize = 100;

/// The refusals of one thread.
pub(super) struct Refusals {
    overloaded: Steps,
    too_fast: Steps,
}

type Steps = Box<[OnceLock<Ready>]>;

/// One refusal, both ways.
struct Ready {
    rpc: HeaderMap,
    plain: Response<Bytes>,
}

impl Refusals {
    /// Nothing was refused yet.
    pub(super) fn new() -> Self {
        let steps = || -> Steps { (0..=STEPS).map(|_| OnceLock::new()).collect() };
        Self {
            overloaded: steps(),
            too_fast: steps(),
        }
    }

    /// As gRPC has it: headers alone.
    pub(super) fn rpc(&self, refusal: Refusal) -> Response<FrontBody> {
        self.told(refusal, |ready| {
            let mut response = Response::new(FrontBody::Empty);
            *response.headers_mut() = ready.rpc.clone();
            response
        })
    }

    /// As plain HTTP has it: `429`.
    pub(super) fn plain(&self, refusal: Refusal) -> Response<FrontBody> {
        self.told(refusal, |ready| ready.plain.clone().map(FrontBody::Whole))
    }

    fn told<T>(&self, refusal: Refusal, words: impl Fn(&Ready) -> T) -> T {
        let steps = match refusal.reason == CLIENT_TOO_FAST {
            true => &self.too_fast,
            false => &self.overloaded,
        };
        let step = refusal.retry_after.as_millis().div_ceil(STEP);
        let place = usize::try_from(step).ok().and_then(|step| steps.get(step));
        match place {
            Some(place) => words(place.get_or_init(|| Ready::of(rounded(refusal, step)))),
            None => words(&Ready::of(refusal)),
        }
    }
}

fn rounded(refusal: Refusal, step: u128) -> Refusal {
    let retry_after = Duration::from_millis(u64::try_from(step * STEP).unwrap_or(u64::MAX));
    Refusal {
        retry_after,
        ..refusal
    }
}

impl Ready {
    fn of(refusal: Refusal) -> Self {
        let status = status(refusal);
        let plain = error_as_json(&status);
        Self {
            rpc: status.into_http::<()>().into_parts().0.headers,
            plain,
        }
    }
}

fn status(refusal: Refusal) -> Status {
    let (reason, text) = (refusal.reason, refusal.message());
    fault::retry(Code::ResourceExhausted, reason, text, refusal.retry_after)
}

#[cfg(test)]
mod tests {
    use hubshift_shell::OVERLOADED;
    use tonic_types::StatusExt as _;

    use super::*;

    fn refusal(reason: &'static str, millis: u64) -> Refusal {
        let retry_after = Duration::from_millis(millis);
        Refusal {
            reason,
            retry_after,
        }
    }

    #[test]
    fn both_ways_say_the_reason_and_no_time_that_is_too_short() {
        let refusals = Refusals::new();
        for reason in [OVERLOADED, CLIENT_TOO_FAST] {
            // The second time of each is only a copy; the last one is longer than any that is kept.
            for millis in [0, 1, 1, 1_234, 1_234, 10_000, 60_000] {
                let refused = refusals.rpc(refusal(reason, millis));
                let status = Status::from_header_map(refused.headers()).unwrap();
                assert_eq!(status.code(), Code::ResourceExhausted);
                assert_eq!(fault::reason(&status), reason);
                let after = status.get_details_retry_info().unwrap().retry_delay;
                let after = after.unwrap().as_millis();
                let least = u128::from(millis);
                assert!((least..least + STEP).contains(&after), "{after}");

                let refused = refusals.plain(refusal(reason, millis));
                assert_eq!(refused.status(), 429);
                let seconds = refused.headers().get("retry-after").unwrap();
                let seconds: u64 = seconds.to_str().unwrap().parse().unwrap();
                assert_eq!(seconds, millis.div_ceil(1_000).max(1));
                let FrontBody::Whole(body) = refused.into_body() else {
                    panic!("a refusal has a body");
                };
                assert!(String::from_utf8_lossy(&body).contains(reason));
            }
        }
    }
}
