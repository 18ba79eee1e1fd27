//! Waves: classes of devices that go first when an epoch begins.
//!
//! An operator orders them ([`WavePlan`]), the signed route says when the window of each lies
//! ([`Wave`]), and everybody else goes after them. Kept true: a device belongs to the first wave
//! that it matches, which neither an epoch nor a concierge decides; no wave is faster than the
//! target admits (I25); a wave of a shape that a newer version made matches nobody here, and
//! breaks nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::WaveId;
use crate::pacing;

/// A fleet has no more waves.
pub const MAX_WAVES: usize = 8;
/// A wave has no more prefixes.
pub const MAX_PREFIXES: usize = 16;
/// All prefixes of a fleet together have no more letters: a route is a short document.
pub const MAX_PREFIX_LETTERS: usize = 1_000;

/// All values of a hash.
const RANGE: u128 = 1 << 64;

/// Which devices belong to a wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Members {
    /// Those whose ids begin with one of these.
    Prefixes(Vec<String>),
    /// So many percent of those that no earlier wave has, chosen by a hash of their ids.
    Percent(u8),
}

/// A wave as an operator orders it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WavePlan {
    /// Its name.
    pub name: WaveId,
    /// Who belongs to it.
    #[serde(flatten)]
    pub members: Members,
    /// How many devices have one of the prefixes, and none of an earlier wave's; zero for a
    /// percentage, which says it itself.
    #[serde(default)]
    pub device_count: u64,
}

/// So many percent, rounded up.
pub(super) fn part(devices: u64, percent: u8) -> u64 {
    let part = (u128::from(devices) * u128::from(percent)).div_ceil(100);
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// `kept` of [`RANGE`] parts, rounded up.
fn share(devices: u64, kept: u128) -> u64 {
    let share = (u128::from(devices) * kept).div_ceil(RANGE);
    u64::try_from(share).unwrap_or(u64::MAX)
}

/// A wave as it stands in the claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawWave", into = "RawWave")]
pub struct Wave {
    /// Its name, for people.
    pub name: WaveId,
    /// Who belongs to it.
    pub members: Members,
    /// Where its window begins, milliseconds.
    pub offset_ms: u64,
    /// How long it is, milliseconds.
    pub window_ms: u64,
}

/// The members of [`Wave`] on the wire. One more or one less is another version's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawWave {
    name: WaveId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prefixes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    percent: Option<u8>,
    offset_ms: u64,
    window_ms: u64,
}

impl TryFrom<RawWave> for Wave {
    type Error = &'static str;

    fn try_from(raw: RawWave) -> Result<Self, Self::Error> {
        let members = match (raw.prefixes, raw.percent) {
            (Some(prefixes), None) => Members::Prefixes(prefixes),
            (None, Some(percent)) => Members::Percent(percent),
            (Some(_), Some(_)) | (None, None) => return Err("needs prefixes or percent"),
        };
        Ok(Self {
            name: raw.name,
            members,
            offset_ms: raw.offset_ms,
            window_ms: raw.window_ms,
        })
    }
}

impl From<Wave> for RawWave {
    fn from(wave: Wave) -> Self {
        let (prefixes, percent) = match wave.members {
            Members::Prefixes(prefixes) => (Some(prefixes), None),
            Members::Percent(percent) => (None, Some(percent)),
        };
        Self {
            name: wave.name,
            prefixes,
            percent,
            offset_ms: wave.offset_ms,
            window_ms: wave.window_ms,
        }
    }
}

/// The waves of a route, in the order in which they go. What a newer version wrote is kept as it
/// came, so that it is neither lost nor in the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Waves(Shape);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Shape {
    List(Vec<Entry>),
    Newer(Value),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    Known(Wave),
    Newer(Value),
}

impl Default for Waves {
    fn default() -> Self {
        Self(Shape::List(Vec::new()))
    }
}

impl FromIterator<Wave> for Waves {
    fn from_iter<I: IntoIterator<Item = Wave>>(waves: I) -> Self {
        Self(Shape::List(waves.into_iter().map(Entry::Known).collect()))
    }
}

impl Waves {
    /// Those that this version understands.
    pub fn known(&self) -> impl Iterator<Item = &Wave> {
        self.entries().iter().filter_map(|entry| match entry {
            Entry::Known(wave) => Some(wave),
            Entry::Newer(_) => None,
        })
    }

    /// The first wave that a device belongs to.
    pub fn of_device(&self, device_id: &str) -> Option<&Wave> {
        let mut taken = Taken::default();
        self.known().find(|wave| match &wave.members {
            Members::Prefixes(prefixes) => prefixes
                .iter()
                .any(|prefix| device_id.starts_with(prefix.as_str())),
            Members::Percent(percent) => taken.takes(device_id, *percent),
        })
    }

    /// Where a device's slot lies within a window of `whole_ms`: from where on and how long,
    /// milliseconds. Who is in no wave goes after all of them.
    pub fn range(&self, device_id: &str, whole_ms: u64) -> (u64, u64) {
        if let Some(wave) = self.of_device(device_id) {
            return (wave.offset_ms, wave.window_ms);
        }
        let ends = self
            .known()
            .map(|wave| wave.offset_ms.saturating_add(wave.window_ms));
        match ends.max() {
            Some(end) if end < whole_ms => (end, whole_ms - end),
            // No room after the waves: anywhere is better than all at once.
            Some(_) | None => (0, whole_ms),
        }
    }

    /// Whether devices would do the same. Where either has what only a newer version understands,
    /// this one has no say: it must not undo it.
    pub fn tells_the_same(&self, other: &Self) -> bool {
        self.is_newer() || other.is_newer() || self == other
    }

    fn is_newer(&self) -> bool {
        let newer = |entry: &Entry| matches!(entry, Entry::Newer(_));
        matches!(self.0, Shape::Newer(_)) || self.entries().iter().any(newer)
    }

    fn entries(&self) -> &[Entry] {
        match &self.0 {
            Shape::List(entries) => entries,
            Shape::Newer(_) => &[],
        }
    }
}

/// How much of the hash's range the percentages of the waves so far have taken: each takes its part
/// of what the ones before it left, so that one hash is enough for all of them.
#[derive(Default)]
struct Taken {
    below: u128,
    hash: Option<u64>,
}

impl Taken {
    fn takes(&mut self, device_id: &str, percent: u8) -> bool {
        self.below += (RANGE - self.below) * u128::from(percent.min(100)) / 100;
        let hash = self
            .hash
            .get_or_insert_with(|| pacing::device_hash(device_id, &[b"wave".as_slice()]));
        u128::from(*hash) < self.below
    }
}

/// The waves of a move with their windows, one after the other, and the window of everybody: what
/// the waves leave of `devices`, one at least, goes last. See [`pacing::window`] for the rest.
///
/// Where the classes are larger than the whole, one of the numbers is out of date, and which one is
/// not known: the classes count as coming on top, for too short a window is a storm.
pub fn schedule(
    plan: &[WavePlan],
    devices: u64,
    utilisation_percent: u8,
    rate: u32,
) -> (Waves, Duration) {
    let span = |count| {
        let window = pacing::window(count, utilisation_percent, rate);
        u64::try_from(window.as_millis()).unwrap_or(u64::MAX)
    };
    let classes = plan.iter().fold(0u64, |sum, wave| match wave.members {
        Members::Prefixes(_) => sum.saturating_add(wave.device_count),
        Members::Percent(_) => sum,
    });
    let devices = if classes > devices {
        classes.saturating_add(devices)
    } else {
        devices
    };
    // What no wave has yet, and the part of each class that the percentages have left.
    let (mut left, mut kept) = (devices, RANGE);
    let mut offset_ms = 0u64;
    let mut waves = Vec::with_capacity(plan.len());
    for wave in plan {
        let size = match wave.members {
            Members::Prefixes(_) => share(wave.device_count, kept),
            Members::Percent(percent) => {
                kept -= kept * u128::from(percent.min(100)) / 100;
                part(left, percent)
            }
        };
        let size = size.max(1);
        let window_ms = span(size);
        waves.push(Wave {
            name: wave.name.clone(),
            members: wave.members.clone(),
            offset_ms,
            window_ms,
        });
        offset_ms = offset_ms.saturating_add(window_ms);
        left = left.saturating_sub(size);
    }
    let rest = if plan.is_empty() { left } else { left.max(1) };
    let whole = offset_ms.saturating_add(span(rest));
    (waves.into_iter().collect(), Duration::from_millis(whole))
}

#[cfg(test)]
mod tests;
