//! `WatchFleet` with tens of thousands of streams.

use super::{Work, by};
use crate::contender::Contender::{self, Concierge, Etcd, TonicBroadcast};
use crate::judge::Bound::{self, AtMost};
use crate::judge::Comparison;
use crate::judge::Figure::{
    BytesPerWatcher, BytesPerWatcherAfter, OrderToFirstMs, PssPerWatcher, SpreadAllMs, SpreadP99Ms,
};
use crate::load::Load;

const CONTENDERS: &[Contender] = &[Concierge, TonicBroadcast, Etcd];
const COMPARISONS: &[Comparison] = &[
    by(BytesPerWatcher, TonicBroadcast, AtMost(1.2)),
    by(BytesPerWatcher, Etcd, AtMost(0.25)),
    by(SpreadP99Ms, TonicBroadcast, AtMost(1.3)),
    by(SpreadP99Ms, Etcd, AtMost(0.6)),
    by(PssPerWatcher, TonicBroadcast, Bound::None),
    by(BytesPerWatcherAfter, TonicBroadcast, Bound::None),
    by(SpreadAllMs, TonicBroadcast, Bound::None),
    by(OrderToFirstMs, TonicBroadcast, Bound::None),
    by(OrderToFirstMs, Etcd, Bound::None),
];

pub(super) const WORKS: &[Work] = &[
    Work {
        name: "watch-10k",
        title: "WatchFleet, 10,000 streams on 100 connections",
        load: Load::Watch {
            connections: 100,
            streams: 100,
        },
        contenders: CONTENDERS,
        comparisons: COMPARISONS,
    },
    Work {
        name: "watch-50k",
        title: "WatchFleet, 50,000 streams on 500 connections",
        load: Load::Watch {
            connections: 500,
            streams: 100,
        },
        contenders: CONTENDERS,
        comparisons: COMPARISONS,
    },
];
