//! How many different devices asked anywhere: sketches of bounded size that can be united, so that a
//! device which asks several concierges counts once.
//!
//! Few devices are named by 28 bits of their keyed hash: the union of such lists counts them exactly,
//! but for two that share a tag (of 1,024 devices the odds are 1 in 500). More are a HyperLogLog of
//! 2^14 registers: the standard error is 1.04 / sqrt(2^14) = 0.81 %, and 95 of 100 counts are within
//! twice that. Estimated as by Ertl ("New cardinality estimation algorithms for HyperLogLog sketches",
//! 2017), which needs no table of corrections and has no seam between small and large counts.
//!
//! ```text
//! hash: | register, 14 bits | first one bit of the next 50: rank |      tag: the upper 28 bits
//! ```

mod wire;

use std::collections::BTreeSet;

/// Bits of a hash that choose a register.
const PRECISION: u32 = 14;
/// Registers of a sketch.
pub const REGISTERS: usize = 1 << PRECISION;
/// Bits of a hash that a rank is taken from.
const RANK_BITS: u32 = 64 - PRECISION;
/// The highest rank: all those bits are zero.
const MAX_RANK: u8 = RANK_BITS as u8 + 1;
/// Bits of a tag.
pub const TAG_BITS: u32 = 28;
/// Bits of a tag that a rank is taken from.
const TAG_RANK_BITS: u32 = TAG_BITS - PRECISION;
/// At most so many devices are named one by one.
pub const MOST_NAMED: usize = 1024;
/// Of 100 counts 95 are within so many percent: 1.96 x 1.04 / sqrt(REGISTERS).
pub const ERROR_PERCENT: f64 = 1.6;

/// Who asked, at one concierge or at several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sketch {
    /// Tags of devices.
    Named(BTreeSet<u32>),
    /// Registers of a HyperLogLog, [`REGISTERS`] of them.
    Registers(Vec<u8>),
}

/// A count, and how far it may be off.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Count {
    /// How many.
    pub number: u64,
    /// Of 100 counts 95 are within so many percent; zero where devices were counted one by one.
    pub error_percent: f64,
}

/// The register of a device, and its rank there.
pub fn place(hash: u64) -> (usize, u8) {
    let register = (hash >> RANK_BITS) as usize;
    let rank = (hash << PRECISION).leading_zeros().min(RANK_BITS) + 1;
    (register, rank as u8)
}

/// The register of a device of which only the tag is known. Of 16,384 devices one has a rank that
/// its tag does not show: it is taken for the least that it can be.
pub fn place_of_tag(tag: u32) -> (usize, u8) {
    let register = (tag >> TAG_RANK_BITS) as usize % REGISTERS;
    let rest = tag << (u32::BITS - TAG_RANK_BITS);
    (
        register,
        (rest.leading_zeros().min(TAG_RANK_BITS) + 1) as u8,
    )
}

impl Default for Sketch {
    /// Nobody.
    fn default() -> Self {
        Self::Named(BTreeSet::new())
    }
}

impl Sketch {
    /// Adds everybody of another one.
    pub fn unite(&mut self, other: Self) {
        let held = std::mem::take(self);
        *self = match (held, other) {
            (Self::Named(mut held), Self::Named(more)) => {
                held.extend(more);
                Self::Named(held)
            }
            (held, other) => {
                let mut registers = held.into_registers();
                raise(&mut registers, &other.into_registers());
                Self::Registers(registers)
            }
        };
    }

    /// How many there are.
    pub fn count(&self) -> Count {
        match self {
            Self::Named(tags) => Count {
                number: tags.len() as u64,
                error_percent: 0.0,
            },
            Self::Registers(registers) => Count {
                number: estimate(registers).round() as u64,
                error_percent: ERROR_PERCENT,
            },
        }
    }

    fn into_registers(self) -> Vec<u8> {
        match self {
            Self::Registers(registers) => registers,
            Self::Named(tags) => {
                let mut registers = vec![0; REGISTERS];
                for (register, rank) in tags.into_iter().map(place_of_tag) {
                    registers[register] = rank.max(registers[register]);
                }
                registers
            }
        }
    }
}

fn raise(held: &mut [u8], other: &[u8]) {
    for (held, other) in held.iter_mut().zip(other) {
        *held = (*held).max(*other);
    }
}

/// Ertl's improved estimate.
fn estimate(registers: &[u8]) -> f64 {
    let mut with_rank = [0u32; MAX_RANK as usize + 1];
    for rank in registers {
        with_rank[usize::from((*rank).min(MAX_RANK))] += 1;
    }
    let all = REGISTERS as f64;
    let full = f64::from(with_rank[usize::from(MAX_RANK)]);
    let mut sum = all * tau(1.0 - full / all);
    for count in with_rank[1..usize::from(MAX_RANK)].iter().rev() {
        sum = 0.5 * (sum + f64::from(*count));
    }
    sum += all * sigma(f64::from(with_rank[0]) / all);
    all * all / (2.0 * std::f64::consts::LN_2 * sum)
}

/// What the empty registers say.
fn sigma(share: f64) -> f64 {
    if share >= 1.0 {
        return f64::INFINITY;
    }
    let (mut x, mut y, mut sum) = (share, 1.0, share);
    loop {
        x *= x;
        let before = sum;
        sum += x * y;
        y += y;
        if sum <= before {
            return sum;
        }
    }
}

/// What the full registers say.
fn tau(share: f64) -> f64 {
    if share <= 0.0 || share >= 1.0 {
        return 0.0;
    }
    let (mut x, mut y, mut sum) = (share, 1.0, 1.0 - share);
    loop {
        x = x.sqrt();
        let before = sum;
        y *= 0.5;
        sum -= (1.0 - x).powi(2) * y;
        if sum >= before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests;
