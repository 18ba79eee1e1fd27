//! What each client has used: connections at once, and connections and requests over time.
//!
//! A fixed table of atomic buckets, found by a keyed hash of the address: bounded memory whatever
//! addresses come, and nobody outside can choose whom to share a bucket with. Two addresses of one
//! bucket share its limits; with as many clients as buckets about every third has a companion, and
//! each of them would have to use half of the limit for either to notice.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use super::limits::Limits;
use super::network::Network;

/// How many buckets there are: 1.5 MiB of them.
const BUCKETS: usize = 65_536;
const SECOND: u64 = 1_000_000_000;

/// The table. All threads of a front share it.
pub(super) struct Clients {
    hash: RandomState,
    buckets: Box<[Bucket]>,
    trusted: Vec<Network>,
    max_connections: u32,
    opening: Rate,
    asking: Rate,
}

/// Until when each client has taken up time, nanoseconds of the front's clock: a token bucket in one
/// number (the generic cell rate algorithm).
#[derive(Default)]
struct Bucket {
    opened: AtomicU64,
    asked: AtomicU64,
    connections: AtomicU32,
}

/// How often something may happen.
struct Rate {
    /// Nanoseconds that it takes up once.
    interval: u64,
    /// How far ahead of now time may be taken up.
    window: u64,
}

impl Rate {
    fn new(per_second: u32, burst: u32) -> Self {
        let interval = (SECOND / u64::from(per_second.max(1))).max(1);
        Self {
            interval,
            window: interval.saturating_mul(u64::from(burst)),
        }
    }

    /// Takes up time once more.
    ///
    /// # Errors
    /// There is none left; there is some again after this time.
    fn take(&self, taken: &AtomicU64, now: u64) -> Result<(), Duration> {
        let mut until = taken.load(Ordering::Relaxed);
        loop {
            let next =
                book(until, now, self.interval, self.window).map_err(Duration::from_nanos)?;
            let stored =
                taken.compare_exchange_weak(until, next, Ordering::Relaxed, Ordering::Relaxed);
            match stored {
                Ok(_) => return Ok(()),
                Err(seen) => until = seen,
            }
        }
    }
}

impl Clients {
    pub(super) fn new(limits: &Limits) -> Self {
        let nobody_counts = limits.trusted.contains(&Network::EVERYTHING);
        let buckets = if nobody_counts { 1 } else { BUCKETS };
        Self {
            hash: RandomState::new(),
            buckets: (0..buckets).map(|_| Bucket::default()).collect(),
            trusted: limits.trusted.clone(),
            max_connections: limits.max_connections_per_client,
            // A fleet behind one address may come back all at once.
            opening: Rate::new(
                limits.connections_per_second_per_client,
                limits.max_connections_per_client,
            ),
            asking: Rate::new(
                limits.requests_per_second_per_client,
                limits.burst_per_client,
            ),
        }
    }

    /// The bucket of an address; none for one that is trusted.
    pub(super) fn find(&self, address: IpAddr) -> Option<u32> {
        if self.trusted.iter().any(|net| net.contains(address)) {
            return None;
        }
        let hash = self.hash.hash_one(client(address));
        u32::try_from(hash % self.buckets.len() as u64).ok()
    }

    /// Counts a connection at `now`, nanoseconds of the front's clock; false: its client has as
    /// many as it may, or opens them too fast.
    pub(super) fn enter(&self, index: u32, now: u64) -> bool {
        let Some(bucket) = self.buckets.get(index as usize) else {
            return true;
        };
        let before = bucket.connections.fetch_add(1, Ordering::Relaxed);
        let fits = before < self.max_connections && self.opening.take(&bucket.opened, now).is_ok();
        if !fits {
            bucket.connections.fetch_sub(1, Ordering::Relaxed);
        }
        fits
    }

    /// A connection that was counted is closed.
    pub(super) fn leave(&self, index: u32) {
        if let Some(bucket) = self.buckets.get(index as usize) {
            bucket.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Counts a request at `now`, nanoseconds of the front's clock.
    ///
    /// # Errors
    /// The client asks too fast; it may ask again after this time.
    pub(super) fn take(&self, index: u32, now: u64) -> Result<(), Duration> {
        match self.buckets.get(index as usize) {
            Some(bucket) => self.asking.take(&bucket.asked, now),
            None => Ok(()),
        }
    }
}

/// Takes up one more interval: until when time is taken then, or how long to wait for it.
fn book(taken: u64, now: u64, interval: u64, window: u64) -> Result<u64, u64> {
    let next = taken.max(now).saturating_add(interval);
    match (next - now).checked_sub(window) {
        None | Some(0) => Ok(next),
        Some(wait) => Err(wait),
    }
}

/// What counts as one client: an IPv4 address, the /64 of an IPv6 address.
fn client(address: IpAddr) -> (bool, u64) {
    match address.to_canonical() {
        IpAddr::V4(address) => (false, u64::from(address.to_bits())),
        IpAddr::V6(address) => (true, (address.to_bits() >> 64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(per_second: u32, burst: u32) -> Limits {
        Limits {
            requests_per_second_per_client: per_second,
            burst_per_client: burst,
            max_connections_per_client: 2,
            ..Limits::default()
        }
    }

    fn find(clients: &Clients, address: &str) -> Option<u32> {
        clients.find(address.parse().unwrap())
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let clients = Clients::new(&limits(10, 3));
        let client = find(&clients, "192.0.2.1").unwrap();
        let now = 5 * SECOND;
        for _ in 0..3 {
            assert_eq!(clients.take(client, now), Ok(()));
        }
        assert_eq!(clients.take(client, now), Err(Duration::from_millis(100)));
        assert_eq!(clients.take(client, now + SECOND / 10), Ok(()));
        assert!(clients.take(client, now + SECOND / 10).is_err());
    }

    #[test]
    fn a_refused_request_costs_the_client_nothing() {
        let clients = Clients::new(&limits(10, 1));
        let client = find(&clients, "192.0.2.1").unwrap();
        assert_eq!(clients.take(client, 0), Ok(()));
        for _ in 0..100 {
            assert!(clients.take(client, 0).is_err());
        }
        assert_eq!(clients.take(client, SECOND / 10), Ok(()));
    }

    #[test]
    fn the_clock_of_another_thread_may_be_behind() {
        assert_eq!(book(100, 40, 10, 70), Ok(110));
        assert_eq!(book(100, 39, 10, 70), Err(1));
    }

    #[test]
    fn connections_are_counted_per_client_and_given_back() {
        let clients = Clients::new(&limits(1, 1));
        let client = find(&clients, "192.0.2.1").unwrap();
        assert!(clients.enter(client, 0) && clients.enter(client, 0));
        assert!(!clients.enter(client, SECOND));
        clients.leave(client);
        assert!(clients.enter(client, SECOND));
    }

    #[test]
    fn connections_that_come_and_go_are_counted_too() {
        let clients = Clients::new(&Limits {
            connections_per_second_per_client: 10,
            max_connections_per_client: 3,
            ..Limits::default()
        });
        let client = find(&clients, "192.0.2.1").unwrap();
        let comes_and_goes = |now| {
            let came = clients.enter(client, now);
            if came {
                clients.leave(client);
            }
            came
        };
        assert!((0..3).all(|_| comes_and_goes(0)));
        assert!(!comes_and_goes(0));
        assert!(comes_and_goes(SECOND / 10) && !comes_and_goes(SECOND / 10));
        // The ones that were refused hold no place.
        let second = 2 * SECOND;
        assert!((0..3).all(|_| clients.enter(client, second)));
    }

    #[test]
    fn a_client_is_an_ipv4_address_or_the_64_of_an_ipv6_address() {
        let clients = Clients::new(&limits(1, 1));
        let v4 = find(&clients, "192.0.2.1");
        assert!(v4.is_some());
        assert_eq!(v4, find(&clients, "::ffff:192.0.2.1"));
        assert_eq!(
            find(&clients, "2001:db8:0:1::1"),
            find(&clients, "2001:db8:0:1:ffff::2")
        );
        let one = client("2001:db8:0:1::1".parse().unwrap());
        assert_ne!(one, client("2001:db8:0:2::1".parse().unwrap()));
        assert_eq!(find(&clients, "127.0.0.1"), None);
    }
}
