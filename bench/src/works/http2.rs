//! The same answer over HTTP/2.

use super::{Work, by};
use crate::answers::Who;
use crate::contender::Contender::{Axum, Concierge, Nginx};
use crate::judge::Bound::AtLeast;
use crate::judge::Figure::AnswersPerSecond;
use crate::load::Load;

pub(super) const WORKS: &[Work] = &[Work {
    name: "http2-200",
    title: "HTTP/2 200, 64 connections x 10 streams",
    load: Load::Http2 {
        connections: 64,
        streams: 10,
        who: Who::Device,
    },
    contenders: &[Concierge, Axum, Nginx],
    comparisons: &[
        by(AnswersPerSecond, Axum, AtLeast(0.9)),
        by(AnswersPerSecond, Nginx, AtLeast(2.5)),
    ],
}];
