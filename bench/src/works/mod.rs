//! What is measured, and what is required of it: the table of issue 4.

mod cold;
mod grpc;
mod http1;
mod http2;
mod tls;
mod watch;

use std::fmt::Write as _;

use anyhow::ensure;

use crate::contender::Contender;
use crate::judge::{Against, Bound, Comparison, Figure};
use crate::load::Load;

/// Something that is measured.
#[derive(Debug, PartialEq)]
pub(crate) struct Work {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it is.
    pub(crate) title: &'static str,
    /// What is done.
    pub(crate) load: Load,
    /// To whom; ours among them.
    pub(crate) contenders: &'static [Contender],
    /// What is required.
    pub(crate) comparisons: &'static [Comparison],
}

const ALL: [&[Work]; 6] = [
    grpc::WORKS,
    http1::WORKS,
    http2::WORKS,
    tls::WORKS,
    watch::WORKS,
    cold::WORKS,
];

/// Those whose name begins with one of these; all, when none is given.
pub(crate) fn chosen(only: &[String]) -> anyhow::Result<Vec<&'static Work>> {
    for name in only {
        let is_known = all().any(|work| work.name.starts_with(name.as_str()));
        ensure!(is_known, "no work begins with `{name}`; --list names them");
    }
    let is_chosen = |work: &&Work| {
        let mut names = only.iter();
        only.is_empty() || names.any(|name| work.name.starts_with(name.as_str()))
    };
    Ok(all().filter(is_chosen).collect())
}

/// Names, titles and contenders, a line for each.
pub(crate) fn list() -> String {
    let mut list = String::new();
    for work in all() {
        let contenders: Vec<_> = work.contenders.iter().map(|it| it.title()).collect();
        let (name, title, contenders) = (work.name, work.title, contenders.join(", "));
        // Text takes everything.
        let _written = writeln!(list, "{name:<20} {title}\n{:20} {contenders}", "");
    }
    list
}

fn all() -> impl Iterator<Item = &'static Work> {
    ALL.into_iter().flatten()
}

/// Our figure by theirs, and what it must be.
const fn by(figure: Figure, server: Contender, bound: Bound) -> Comparison {
    Comparison {
        figure,
        against: Against::Server(server),
        bound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_work_measures_us_and_whomever_it_holds_us_against() {
        for work in all() {
            assert!(
                work.contenders.contains(&Contender::Concierge),
                "{}",
                work.name
            );
            for comparison in work.comparisons {
                if let Against::Server(server) = comparison.against {
                    assert!(work.contenders.contains(&server), "{}", work.name);
                }
            }
        }
    }

    #[test]
    fn works_are_chosen_by_how_their_names_begin() {
        let names = |only: &[&str]| -> Vec<_> {
            let only: Vec<_> = only.iter().map(|name| (*name).to_owned()).collect();
            let chosen = chosen(&only).unwrap();
            chosen.iter().map(|work| work.name).collect()
        };
        assert_eq!(names(&["tls-"]), ["tls-full", "tls-resumed"]);
        assert_eq!(
            names(&["cold-start", "watch-50k"]),
            ["watch-50k", "cold-start"]
        );
        assert_eq!(names(&[]).len(), all().count());
        assert!(chosen(&["nothing".to_owned()]).is_err());
    }
}
