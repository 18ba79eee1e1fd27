//! The same answer over HTTP/1.1.

use super::{Work, by};
use crate::answers::Who;
use crate::contender::Contender::{Axum, Concierge, Nginx};
use crate::judge::Bound::{self, AtLeast};
use crate::judge::Figure::AnswersPerSecond;
use crate::load::Load;

pub(super) const WORKS: &[Work] = &[
    Work {
        name: "http1-200",
        title: "HTTP/1.1 200, 64 connections",
        load: Load::Http1 {
            connections: 64,
            revalidate: false,
            who: Who::Device,
        },
        contenders: &[Concierge, Axum, Nginx],
        comparisons: &[
            by(AnswersPerSecond, Axum, AtLeast(0.95)),
            by(AnswersPerSecond, Nginx, AtLeast(1.2)),
        ],
    },
    Work {
        name: "http1-304",
        title: "HTTP/1.1 304, 64 connections",
        load: Load::Http1 {
            connections: 64,
            revalidate: true,
            who: Who::Device,
        },
        contenders: &[Concierge, Axum, Nginx],
        comparisons: &[
            by(AnswersPerSecond, Axum, AtLeast(0.95)),
            by(AnswersPerSecond, Nginx, AtLeast(1.2)),
        ],
    },
    Work {
        name: "http1-1000",
        title: "HTTP/1.1 200, 1,000 connections",
        load: Load::Http1 {
            connections: 1_000,
            revalidate: false,
            who: Who::Device,
        },
        contenders: &[Concierge, Nginx],
        comparisons: &[by(AnswersPerSecond, Nginx, AtLeast(0.95))],
    },
    Work {
        name: "http1-anyone",
        title: "HTTP/1.1 200 without a device, for comparison",
        load: Load::Http1 {
            connections: 64,
            revalidate: false,
            who: Who::Anyone,
        },
        contenders: &[Concierge, Axum],
        comparisons: &[by(AnswersPerSecond, Axum, Bound::None)],
    },
];
