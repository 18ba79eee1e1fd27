//! A start without a database.

use super::Work;
use crate::contender::Contender::Concierge;
use crate::judge::Bound::AtMost;
use crate::judge::Figure::FirstAnswerMs;
use crate::judge::{Against, Comparison};
use crate::load::Load;

pub(super) const WORKS: &[Work] = &[Work {
    name: "cold-start",
    title: "start to first answer, 10,000 fleets on disk, no database",
    load: Load::ColdStart { fleets: 10_000 },
    contenders: &[Concierge],
    comparisons: &[Comparison {
        figure: FirstAnswerMs,
        against: Against::Itself,
        bound: AtMost(100.0),
    }],
}];
