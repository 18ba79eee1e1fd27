//! The rounds: every contender of a work in turn, in another order each time, and medians.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

use crate::contender::Contender;
use crate::judge::{Figure, Figures};
use crate::load;
use crate::machine::quiet;
use crate::options::Options;
use crate::stats;
use crate::works::Work;
use crate::world::World;

/// What came of a work.
#[derive(Debug)]
pub(crate) struct Measured {
    /// The work.
    pub(crate) work: &'static Work,
    /// What every round found.
    pub(crate) samples: BTreeMap<Contender, Vec<Figures>>,
    /// Why it was given up.
    pub(crate) error: Option<String>,
}

impl Measured {
    /// A contender's median over all rounds; `None` when the work was given up.
    pub(crate) fn median(&self, contender: Contender, figure: Figure) -> Option<f64> {
        if self.error.is_some() {
            return None;
        }
        let samples = self.samples.get(&contender)?.iter();
        let values: Vec<f64> = samples
            .filter_map(|sample| sample.get(&figure).copied())
            .collect();
        stats::median(&values)
    }
}

/// Measures these works.
pub(crate) async fn run(
    options: &Options,
    works: &[&'static Work],
) -> anyhow::Result<Vec<Measured>> {
    let world = Box::pin(World::prepare(options)).await?;
    let mut measured = Vec::new();
    for &work in works {
        eprintln!("{}: {}", work.name, work.title);
        let mut samples = BTreeMap::new();
        // The others are worth their time all the same.
        let done = Box::pin(rounds(&world, work, &mut samples)).await;
        let error = done.err().map(|error| format!("{error:#}"));
        if let Some(error) = &error {
            eprintln!("  given up: {error}");
        }
        measured.push(Measured {
            work,
            samples,
            error,
        });
    }
    world.close().await?;
    Ok(measured)
}

async fn rounds(
    world: &World,
    work: &Work,
    samples: &mut BTreeMap<Contender, Vec<Figures>>,
) -> anyhow::Result<()> {
    let options = &world.place.options;
    let cores = [options.server_core, options.load_core];
    for round in 0..options.rounds {
        for contender in order(work.contenders, round) {
            quiet::wait(cores, Duration::from_secs(options.quiet_wait)).await;
            let measured = Box::pin(load::measure(world, contender, &work.load)).await;
            let figures = measured
                .with_context(|| format!("{} in round {}", contender.title(), round + 1))?;
            eprintln!("  {:<16} {}", contender.title(), text(&figures));
            samples.entry(contender).or_default().push(figures);
        }
    }
    Ok(())
}

/// Another one is first in every round, and when each was, it goes backwards: so nobody always comes
/// after the same one.
fn order(contenders: &[Contender], round: u32) -> Vec<Contender> {
    let mut order = contenders.to_vec();
    let (round, count) = (round as usize, order.len().max(1));
    order.rotate_left(round % count);
    if (round / count) % 2 == 1 {
        order.reverse();
    }
    order
}

fn text(figures: &Figures) -> String {
    let figures = figures.iter();
    let each = figures.map(|(figure, value)| format!("{value:.1} {}", figure.title()));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::Contender::{Concierge, Etcd, Tonic};

    #[test]
    fn the_order_alternates() {
        let three = [Concierge, Tonic, Etcd];
        assert_eq!(order(&three, 0), [Concierge, Tonic, Etcd]);
        assert_eq!(order(&three, 1), [Tonic, Etcd, Concierge]);
        assert_eq!(order(&three, 2), [Etcd, Concierge, Tonic]);
        assert_eq!(order(&three, 3), [Etcd, Tonic, Concierge]);
        let two = [Concierge, Tonic];
        assert_eq!(order(&two, 0), [Concierge, Tonic]);
        assert_eq!(order(&two, 1), [Tonic, Concierge]);
        assert_eq!(order(&[Concierge], 4), [Concierge]);
    }
}
