//! What was measured, and whether it is what is required. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::contender::Contender;

/// Something that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Figure {
    /// Answers a second.
    AnswersPerSecond,
    /// CPU time of the server per connection, microseconds.
    CpuPerConnectionUs,
    /// New connections a second.
    ConnectionsPerSecond,
    /// Resident memory of the server per watcher, bytes.
    BytesPerWatcher,
    /// The same by the proportional set size, bytes.
    PssPerWatcher,
    /// Resident memory per watcher after the changes, bytes.
    BytesPerWatcherAfter,
    /// 99th percentile over all streams and changes of the time since the change was ordered,
    /// milliseconds.
    SpreadP99Ms,
    /// Until the change reached the last stream since it reached the first, median, milliseconds.
    SpreadAllMs,
    /// From the order of a change to the first stream, median, milliseconds.
    OrderToFirstMs,
    /// From the start of the process to its first answer, milliseconds.
    FirstAnswerMs,
}

impl Figure {
    /// As the table says it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::AnswersPerSecond => "answers/s",
            Self::CpuPerConnectionUs => "CPU us/connection",
            Self::ConnectionsPerSecond => "connections/s",
            Self::BytesPerWatcher => "bytes/watcher",
            Self::PssPerWatcher => "bytes/watcher (PSS)",
            Self::BytesPerWatcherAfter => "bytes/watcher, after changes",
            Self::SpreadP99Ms => "p99 to reach all, ms",
            Self::SpreadAllMs => "last reached, ms",
            Self::OrderToFirstMs => "order to first, ms",
            Self::FirstAnswerMs => "first answer, ms",
        }
    }
}

/// What one measurement found.
pub(crate) type Figures = BTreeMap<Figure, f64>;

/// What a figure of ours is held against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Against {
    /// The same figure of another server: the bound is on our figure divided by its.
    Server(Contender),
    /// Nothing: the bound is on the figure itself.
    Itself,
}

/// What is required.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Bound {
    /// More is better.
    AtLeast(f64),
    /// Less is better.
    AtMost(f64),
    /// Only to be seen.
    None,
}

/// One line of what is required of a work.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    /// The figure.
    pub(crate) figure: Figure,
    /// What it is held against.
    pub(crate) against: Against,
    /// What is required of it.
    pub(crate) bound: Bound,
}

impl Bound {
    /// Whether a value is within it; `None` when nothing is required.
    pub(crate) fn holds(self, value: f64) -> Option<bool> {
        match self {
            Self::AtLeast(least) => Some(value >= least),
            Self::AtMost(most) => Some(value <= most),
            Self::None => None,
        }
    }

    /// Whether anything is required.
    pub(crate) fn is_required(self) -> bool {
        self != Self::None
    }

    /// As the table says it.
    pub(crate) fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!(">= {least}"),
            Self::AtMost(most) => format!("<= {most}"),
            Self::None => "-".to_owned(),
        }
    }
}

/// How a comparison came out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Verdict {
    /// Our median.
    pub(crate) ours: f64,
    /// The other server's, when there is one.
    pub(crate) other: Option<f64>,
    /// What the bound is on.
    pub(crate) value: f64,
    /// Whether it is reached; `None` when nothing is required.
    pub(crate) ok: Option<bool>,
}

/// Judges the medians; `None` when a figure is missing. `median` gives a server's.
pub(crate) fn judge(
    comparison: &Comparison,
    median: impl Fn(Contender, Figure) -> Option<f64>,
) -> Option<Verdict> {
    let ours = median(Contender::Concierge, comparison.figure)?;
    let (other, value) = match comparison.against {
        Against::Itself => (None, ours),
        Against::Server(server) => {
            let other = median(server, comparison.figure)?;
            (Some(other), ours / other)
        }
    };
    let ok = comparison.bound.holds(value);
    Some(Verdict {
        ours,
        other,
        value,
        ok,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(bound: Bound, against: Against, ours: f64, other: f64) -> Verdict {
        let comparison = Comparison {
            figure: Figure::AnswersPerSecond,
            against,
            bound,
        };
        let median = |server, _| match server {
            Contender::Concierge => Some(ours),
            Contender::Etcd => Some(other),
            _ => None,
        };
        judge(&comparison, median).unwrap()
    }

    #[test]
    fn a_ratio_is_ours_by_theirs() {
        let etcd = Against::Server(Contender::Etcd);
        let enough = verdict(Bound::AtLeast(6.0), etcd, 130.0, 20.0);
        assert_eq!((enough.value, enough.ok), (6.5, Some(true)));
        let short = verdict(Bound::AtLeast(6.0), etcd, 110.0, 20.0);
        assert_eq!(short.ok, Some(false));
        let small = verdict(Bound::AtMost(0.25), etcd, 10.0, 40.0);
        assert_eq!(small.ok, Some(true));
        assert_eq!(verdict(Bound::None, etcd, 1.0, 2.0).ok, None);
    }

    #[test]
    fn a_bound_on_the_figure_itself_needs_nobody_else() {
        let late = verdict(Bound::AtMost(100.0), Against::Itself, 101.0, 1.0);
        assert_eq!((late.other, late.ok), (None, Some(false)));
    }

    #[test]
    fn what_was_not_measured_is_not_judged() {
        let comparison = Comparison {
            figure: Figure::FirstAnswerMs,
            against: Against::Server(Contender::Nginx),
            bound: Bound::AtLeast(1.0),
        };
        assert_eq!(judge(&comparison, |_, _| None), None);
        // Nor is nothing by nothing a pass.
        let nothing = judge(&comparison, |_, _| Some(0.0)).unwrap();
        assert_eq!(nothing.ok, Some(false));
    }
}
