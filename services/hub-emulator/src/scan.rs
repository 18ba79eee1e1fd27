//! Going through all that queries see, piece by piece, so that the hub goes on meanwhile.
//!
//! A scan is of no single moment: what changes behind it is seen as it was, what changes before it
//! as it is then. No device is seen twice, and none is missed that is there all the time.

use std::ops::Bound;

use crate::app::App;
use crate::registry::Seen;

/// How many records are taken at a time.
const PIECE: usize = 100;

/// The records that queries see, in the order of their ids.
pub(crate) fn seen(app: &App, start: Bound<String>) -> impl Iterator<Item = Seen> {
    let mut next = Some(start);
    let mut piece = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if let Some(seen) = piece.next() {
            return Some(seen);
        }
        let start = next.take()?;
        let found = app.registry().seen(borrowed(&start), PIECE);
        let last = found.last().filter(|_| found.len() == PIECE);
        next = last.map(|last| Bound::Excluded(last.record.device_id.clone()));
        piece = found.into_iter();
        piece.next()
    })
}

fn borrowed(bound: &Bound<String>) -> Bound<&str> {
    match bound {
        Bound::Included(id) => Bound::Included(id),
        Bound::Excluded(id) => Bound::Excluded(id),
        Bound::Unbounded => Bound::Unbounded,
    }
}

#[cfg(test)]
mod tests {
    use hubshift_azure::Secret;
    use hubshift_azure::etag::IfMatch;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::access::Access;
    use crate::journal::Records;
    use crate::options::Options;
    use crate::outage::{Fault, OutageSwitch};
    use crate::registry::{Marks, Registry, sample};
    use crate::throttle::{Settings, Throttle};

    fn app(devices: usize) -> App {
        let options = Options::local("iothubowner", &Secret::new("QUJD"));
        let mut registry = Registry::new(Records::new(), None, Marks::new().unwrap());
        for n in 0..devices {
            registry.commit(sample(&format!("d{n:03}"))).unwrap();
        }
        App::new(
            Access::new(&options, Vec::new()).unwrap(),
            registry,
            OutageSwitch::new(Fault::default()),
            Throttle::new(Settings::default()),
            CancellationToken::new(),
        )
    }

    #[test]
    fn every_device_is_seen_once_and_in_order() {
        for devices in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE] {
            let app = app(devices);
            let seen: Vec<_> = seen(&app, Bound::Unbounded)
                .map(|seen| seen.record.device_id.clone())
                .collect();
            let all: Vec<_> = (0..devices).map(|n| format!("d{n:03}")).collect();
            assert_eq!(seen, all);
        }
    }

    #[test]
    fn the_registry_is_free_while_a_scan_goes_on() {
        let app = app(PIECE + 10);
        let mut seen = seen(&app, Bound::Excluded("d000".to_owned()));
        assert_eq!(seen.next().unwrap().record.device_id, "d001");
        // Whoever held the registry here would wait for itself.
        let gone = format!("d{:03}", PIECE + 5);
        app.registry().delete_device(&gone, &IfMatch::Any).unwrap();
        assert_eq!(seen.count(), PIECE + 10 - 3);
    }
}
