//! The order that is in force, and how many calls it has met.

use std::time::Duration;

use tokio::sync::watch;

use super::{CallKind, Fault, OutageMode};

/// The switch that all connections watch.
pub(crate) struct OutageSwitch(watch::Sender<Order>);

struct Order {
    fault: Fault,
    /// Tells this order from an equal one before it.
    number: u64,
    /// Calls of the kind that the fault is for.
    matched: u64,
    /// Those of them that it hit.
    hits: u64,
}

/// What an order does to one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    pub(crate) mode: OutageMode,
    pub(crate) latency: Duration,
    pub(crate) retry_after: Option<u32>,
    /// The number of the order.
    pub(crate) order: u64,
}

impl OutageSwitch {
    pub(crate) fn new(fault: Fault) -> Self {
        Self(watch::Sender::new(Order::new(fault, 0)))
    }

    /// A new order: what hangs by the earlier one ends, and counting begins anew.
    pub(crate) fn set(&self, fault: Fault) {
        self.0
            .send_modify(|order| *order = Order::new(fault, order.number + 1));
    }

    /// The order in force.
    pub(crate) fn get(&self) -> Fault {
        self.0.borrow().fault.clone()
    }

    /// How many calls it has hit.
    pub(crate) fn hits(&self) -> u64 {
        self.0.borrow().hits
    }

    /// What becomes of a call; counts it.
    pub(crate) fn strike(&self, call: CallKind, operation: &str) -> Strike {
        let mut strike = Strike {
            mode: OutageMode::None,
            latency: Duration::ZERO,
            retry_after: None,
            order: 0,
        };
        // Nobody is woken for a count: what they wait for is another order.
        self.0.send_if_modified(|order| {
            strike = order.strike(call, operation);
            false
        });
        strike
    }

    /// Ends when connections are refused; at once if they are already.
    pub(crate) async fn refused(&self) {
        // The sender lives as long as `self`, so that waiting cannot fail.
        let _ = self
            .0
            .subscribe()
            .wait_for(|order| order.fault.refuses_connections())
            .await;
    }

    /// Ends when the order is no longer this one.
    pub(crate) async fn replaced(&self, number: u64) {
        let _ = self
            .0
            .subscribe()
            .wait_for(|order| order.number != number)
            .await;
    }
}

impl Order {
    fn new(fault: Fault, number: u64) -> Self {
        Self {
            fault,
            number,
            matched: 0,
            hits: 0,
        }
    }

    fn strike(&mut self, call: CallKind, operation: &str) -> Strike {
        let mut mode = OutageMode::None;
        if self.fault.is_for(call, operation) {
            if self.fault.hits(self.matched) {
                mode = self.fault.outage.mode;
                self.hits += 1;
            }
            self.matched += 1;
        }
        Strike {
            mode,
            latency: self.fault.latency(),
            retry_after: self.fault.retry_after,
            order: self.number,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_call_of_an_operation_is_hit_and_no_other() {
        let fault = Fault::from(OutageMode::Lost)
            .on("put_twin")
            .after(1)
            .times(1);
        let switch = OutageSwitch::new(fault);
        let mode = |operation| switch.strike(CallKind::Write, operation).mode;
        assert_eq!(mode("put_twin"), OutageMode::None);
        assert_eq!(mode("put_device"), OutageMode::None);
        assert_eq!(mode("put_twin"), OutageMode::Lost);
        assert_eq!(mode("put_twin"), OutageMode::None);
        assert_eq!(switch.hits(), 1);
    }

    #[tokio::test]
    async fn an_equal_order_is_another_one_and_counts_anew() {
        let switch = OutageSwitch::new(Fault::from(OutageMode::Hang).times(1));
        let first = switch.strike(CallKind::Read, "query");
        assert_eq!(first.mode, OutageMode::Hang);
        switch.set(switch.get());
        switch.replaced(first.order).await;
        let second = switch.strike(CallKind::Read, "query");
        assert_eq!(second.mode, OutageMode::Hang);
        assert_ne!(first.order, second.order);
    }
}
