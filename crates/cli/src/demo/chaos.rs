//! SIGKILL to a random service in the middle of a move or of the merge.

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::args::Chaos;
use crate::world::World;

/// Picks victims and moments from one seed.
#[derive(Debug)]
pub(crate) struct Monkey {
    rng: Option<StdRng>,
    /// What was killed, and when.
    pub(crate) kills: Vec<String>,
}

/// Steps of a move at whose begin it may strike: early, in the middle, late.
const MOMENTS: [&str; 6] = ["snapshot", "drain", "commit", "settle", "replay", "observe"];

impl Monkey {
    /// Quiet unless chaos is asked for.
    pub(crate) fn new(chaos: Option<Chaos>, seed: u64) -> Self {
        let rng = chaos.map(|Chaos::Kill| StdRng::seed_from_u64(seed));
        Self {
            rng,
            kills: Vec::new(),
        }
    }

    /// The step of the next move at which it strikes.
    pub(crate) fn pick_moment(&mut self) -> Option<&'static str> {
        let rng = self.rng.as_mut()?;
        Some(MOMENTS[rng.random_range(0..MOMENTS.len())])
    }

    /// Kills a random service; the supervisor starts it again.
    pub(crate) fn strike(&mut self, world: &World, moment: &str) {
        let Some(rng) = self.rng.as_mut() else {
            return;
        };
        let victim = &world.services[rng.random_range(0..world.services.len())];
        victim.kill();
        self.kills.push(format!("{} at {moment}", victim.name()));
    }
}
