//! SipHash-1-3 under a key that several processes share: the same device has the same hash at every
//! concierge, and nobody who lacks the key can choose ids that collide. The standard library's hasher
//! is the same function, but takes no key.

/// A key of 128 bits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SipKey(u64, u64);

impl SipKey {
    /// The key of these bytes.
    pub fn new(bytes: [u8; 16]) -> Self {
        let (low, high) = bytes.split_at(8);
        Self(word(low), word(high))
    }

    /// The hash of a text.
    pub fn hash(self, text: &[u8]) -> u64 {
        self.rounds::<1, 3>(text)
    }

    /// With `C` rounds for every word and `D` at the end.
    fn rounds<const C: usize, const D: usize>(self, text: &[u8]) -> u64 {
        let mut state = State::new(self);
        let words = text.chunks_exact(8);
        let rest = words.remainder();
        for chunk in words {
            state.take::<C>(word(chunk));
        }
        // The length stands in the last byte; it counts modulo 256.
        state.take::<C>(word(rest) | ((text.len() as u64) << 56));
        state.v[2] ^= 0xff;
        for _ in 0..D {
            state.round();
        }
        state.v.iter().fold(0, |hash, part| hash ^ part)
    }
}

/// The key is not for anybody's eyes.
impl std::fmt::Debug for SipKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipKey").finish_non_exhaustive()
    }
}

/// Up to eight bytes, little-endian.
fn word(bytes: &[u8]) -> u64 {
    if let Ok(whole) = <[u8; 8]>::try_from(bytes) {
        return u64::from_le_bytes(whole);
    }
    let shifted = |(at, byte): (usize, &u8)| u64::from(*byte) << (8 * at);
    bytes
        .iter()
        .enumerate()
        .take(8)
        .map(shifted)
        .fold(0, |word, byte| word | byte)
}

struct State {
    v: [u64; 4],
}

impl State {
    fn new(key: SipKey) -> Self {
        Self {
            v: [
                key.0 ^ 0x736f_6d65_7073_6575,
                key.1 ^ 0x646f_7261_6e64_6f6d,
                key.0 ^ 0x6c79_6765_6e65_7261,
                key.1 ^ 0x7465_6462_7974_6573,
            ],
        }
    }

    fn take<const C: usize>(&mut self, word: u64) {
        self.v[3] ^= word;
        for _ in 0..C {
            self.round();
        }
        self.v[0] ^= word;
    }

    fn round(&mut self) {
        let [mut a, mut b, mut c, mut d] = self.v;
        a = a.wrapping_add(b);
        c = c.wrapping_add(d);
        b = b.rotate_left(13) ^ a;
        d = d.rotate_left(16) ^ c;
        a = a.rotate_left(32);
        c = c.wrapping_add(b);
        a = a.wrapping_add(d);
        b = b.rotate_left(17) ^ c;
        d = d.rotate_left(21) ^ a;
        c = c.rotate_left(32);
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{DefaultHasher, Hasher as _};

    use super::*;

    fn counting(length: u8) -> Vec<u8> {
        (0..length).collect()
    }

    /// The example of the paper, with its 2 and 4 rounds.
    #[test]
    fn it_is_siphash() {
        let key = SipKey::new(std::array::from_fn(|at| at as u8));
        assert_eq!(key.rounds::<2, 4>(&counting(15)), 0xa129_ca61_49be_45e5);
    }

    #[test]
    fn with_one_and_three_rounds_it_is_the_standard_librarys() {
        let zero = SipKey::new([0; 16]);
        for length in 0..64 {
            let text = counting(length);
            let mut known = DefaultHasher::new();
            known.write(&text);
            assert_eq!(zero.hash(&text), known.finish(), "{length} bytes");
        }
    }

    #[test]
    fn another_key_gives_another_hash_and_shows_nothing() {
        let (one, other) = (SipKey::new([1; 16]), SipKey::new([2; 16]));
        assert_ne!(one.hash(b"d-1"), other.hash(b"d-1"));
        assert_eq!(format!("{one:?}"), "SipKey { .. }");
    }
}
