//! Numbers, texts and times as bytes: the alphabet of the table file's records.
//!
//! A number takes seven bits a byte, the lowest first; a text has its length before it; a nested
//! part has its length before it in four bytes, so that a reader can pass over what it doesn't know.

use std::time::Duration;

use time::OffsetDateTime;

/// Bytes that are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a record has no legal {0} where one should be")]
pub(crate) struct Malformed(pub(super) &'static str);

/// Writes one thing after the other.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Goes on behind these bytes.
    pub(super) fn behind(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// What was written.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(super) fn span(&mut self, span: Duration) {
        self.number(span.as_secs());
        self.number(u64::from(span.subsec_nanos()));
    }

    pub(super) fn time(&mut self, time: OffsetDateTime) {
        self.raw(&time.unix_timestamp().to_le_bytes());
        self.number(u64::from(time.nanosecond()));
    }

    /// A part with its length before it.
    pub(super) fn nested(&mut self, write: impl FnOnce(&mut Self)) {
        let at = self.bytes.len();
        self.raw(&[0; 4]);
        write(self);
        let length = self.bytes.len() - at - 4;
        // No part is anywhere near that long.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.bytes[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Reads one thing after the other.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether everything was read.
    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn number(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(Malformed("number"))?;
            self.rest = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("number"))
    }

    /// A number that fits a smaller type.
    pub(super) fn small<T: TryFrom<u64>>(&mut self) -> Result<T, Malformed> {
        T::try_from(self.number()?).map_err(|_| Malformed("small number"))
    }

    pub(super) fn raw(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let split = self.rest.split_at_checked(length);
        let (bytes, rest) = split.ok_or(Malformed("length"))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let bytes = self.raw(N)?;
        bytes.try_into().map_err(|_| Malformed("length"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        let length = self.small()?;
        std::str::from_utf8(self.raw(length)?).map_err(|_| Malformed("text"))
    }

    pub(super) fn span(&mut self) -> Result<Duration, Malformed> {
        let seconds = self.number()?;
        let nanos: u32 = self.small()?;
        if nanos >= 1_000_000_000 {
            return Err(Malformed("span"));
        }
        Ok(Duration::new(seconds, nanos))
    }

    pub(super) fn time(&mut self) -> Result<OffsetDateTime, Malformed> {
        let seconds = i64::from_le_bytes(self.array()?);
        let nanos: u32 = self.small()?;
        OffsetDateTime::from_unix_timestamp(seconds)
            .and_then(|time| time.replace_nanosecond(nanos))
            .map_err(|_| Malformed("time"))
    }

    /// A part with its length before it.
    pub(super) fn nested(&mut self) -> Result<Reader<'a>, Malformed> {
        let length = u32::from_le_bytes(self.array()?);
        let length = usize::try_from(length).map_err(|_| Malformed("length"))?;
        self.raw(length).map(Reader::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_reads_back() {
        let numbers = [0, 1, 127, 128, 16_384, u64::MAX / 2, u64::MAX];
        let before_1970 = OffsetDateTime::from_unix_timestamp_nanos(-1_500_000_001).unwrap();
        let mut out = Writer::default();
        numbers.into_iter().for_each(|number| out.number(number));
        out.nested(|out| out.text("Malmö"));
        out.span(Duration::from_millis(1_234));
        out.time(before_1970);
        let bytes = out.into_bytes();
        let mut reader = Reader::new(&bytes);
        for number in numbers {
            assert_eq!(reader.number(), Ok(number));
        }
        assert_eq!(reader.nested().unwrap().text(), Ok("Malmö"));
        assert_eq!(reader.span(), Ok(Duration::from_millis(1_234)));
        assert_eq!(reader.time(), Ok(before_1970));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_cut_or_out_of_range_is_refused() {
        assert!(Reader::new(&[0x80]).number().is_err());
        assert!(Reader::new(&[0xff; 11]).number().is_err());
        assert!(Reader::new(&[5, b'a']).text().is_err());
        assert!(Reader::new(&[1, 0xff]).text().is_err());
        assert!(Reader::new(&[0xff, 0xff, 0xff, 0xff, 1]).nested().is_err());
        assert!(Reader::new(&[0x80, 0x02]).small::<u8>().is_err());
        let mut out = Writer::default();
        out.raw(&i64::MAX.to_le_bytes());
        out.number(0);
        assert!(Reader::new(&out.into_bytes()).time().is_err());
    }
}
