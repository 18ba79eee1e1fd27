//! A sketch as bytes: one that says what it is, then four bytes a tag, or six bits a register
//! (12,289 bytes whatever they hold).

use super::{REGISTERS, Sketch};

const NAMED: u8 = 1;
const REGISTERS_OF_6_BITS: u8 = 2;
/// Four registers are three bytes.
const PACKED: usize = REGISTERS / 4 * 3;

impl Sketch {
    /// The bytes.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Named(tags) => {
                let tags = tags.iter().flat_map(|tag| tag.to_le_bytes());
                std::iter::once(NAMED).chain(tags).collect()
            }
            Self::Registers(registers) => {
                let mut bytes = Vec::with_capacity(PACKED + 1);
                bytes.push(REGISTERS_OF_6_BITS);
                for four in registers.chunks(4) {
                    let add = |word: u32, rank: &u8| (word << 6) | u32::from(rank & 0x3f);
                    let word = four.iter().fold(0u32, add);
                    bytes.extend_from_slice(&word.to_be_bytes()[1..]);
                }
                bytes
            }
        }
    }

    /// The sketch of these bytes; nothing where they are none that this program knows.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        match *kind {
            NAMED if rest.len().is_multiple_of(4) => {
                let tag = |four: &[u8]| Some(u32::from_le_bytes(four.try_into().ok()?));
                let tags: Option<_> = rest.chunks(4).map(tag).collect();
                tags.map(Self::Named)
            }
            REGISTERS_OF_6_BITS if rest.len() == PACKED => {
                let ranks = |three: &[u8]| {
                    let word = three
                        .iter()
                        .fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
                    [18, 12, 6, 0].map(|shift| ((word >> shift) & 0x3f) as u8)
                };
                Some(Self::Registers(rest.chunks(3).flat_map(ranks).collect()))
            }
            _ => None,
        }
    }
}
