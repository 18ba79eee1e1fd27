//! `GetEndpoint` over gRPC.

use super::{Work, by};
use crate::answers::Who;
use crate::contender::Contender::{Concierge, Etcd, Tonic};
use crate::judge::Bound::{self, AtLeast};
use crate::judge::Figure::AnswersPerSecond;
use crate::load::Load;

pub(super) const WORKS: &[Work] = &[
    Work {
        name: "grpc-64x10",
        title: "GetEndpoint over gRPC, 64 connections x 10 streams",
        load: Load::Grpc {
            connections: 64,
            streams: 10,
            who: Who::Device,
        },
        contenders: &[Concierge, Tonic, Etcd],
        comparisons: &[
            by(AnswersPerSecond, Tonic, AtLeast(1.0)),
            by(AnswersPerSecond, Etcd, AtLeast(6.0)),
        ],
    },
    Work {
        name: "grpc-1000x1",
        title: "the same, 1,000 connections x 1 stream",
        load: Load::Grpc {
            connections: 1_000,
            streams: 1,
            who: Who::Device,
        },
        contenders: &[Concierge, Tonic, Etcd],
        comparisons: &[
            by(AnswersPerSecond, Tonic, AtLeast(0.95)),
            by(AnswersPerSecond, Etcd, AtLeast(3.0)),
        ],
    },
    Work {
        name: "grpc-anyone",
        title: "64 x 10 without a device, for comparison",
        load: Load::Grpc {
            connections: 64,
            streams: 10,
            who: Who::Anyone,
        },
        contenders: &[Concierge, Tonic],
        comparisons: &[by(AnswersPerSecond, Tonic, Bound::None)],
    },
];
