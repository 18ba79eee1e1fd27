//! The lines of a blob, as they come.

use crate::error::ContainerError;
use crate::reader::BlobReader;

/// The longest line: the largest device with its twin is far below.
const MAX_LINE: usize = 4 * 1024 * 1024;

/// The lines of a blob. Holds one piece of the blob and a line at most.
pub struct BlobLines {
    reader: BlobReader,
    buffer: LineBuffer,
    is_over: bool,
}

impl BlobLines {
    pub(crate) fn new(reader: BlobReader) -> Self {
        Self {
            reader,
            buffer: LineBuffer::default(),
            is_over: false,
        }
    }

    /// The next line, without its end. Nothing after the last one, or after an error.
    pub async fn next(&mut self) -> Option<Result<String, ContainerError>> {
        if self.is_over {
            return None;
        }
        let line = self.read().await.transpose()?;
        let line = line.and_then(|bytes| {
            String::from_utf8(bytes)
                .map_err(|_| ContainerError::Failed("a line is not UTF-8".to_owned()))
        });
        self.is_over = line.is_err();
        Some(line)
    }

    /// How much of the blob was read, 0 to 100.
    pub fn percent(&self) -> u8 {
        let (read, total) = self.reader.position();
        let done = read.saturating_sub(self.buffer.len() as u64);
        let percent = (done * 100).checked_div(total).unwrap_or(100);
        u8::try_from(percent).unwrap_or(100)
    }

    async fn read(&mut self) -> Result<Option<Vec<u8>>, ContainerError> {
        loop {
            if let Some(line) = self.buffer.line() {
                return Ok(Some(line));
            }
            if self.buffer.len() > MAX_LINE {
                return Err(ContainerError::TooLarge);
            }
            match self.reader.next().await? {
                Some(piece) => self.buffer.push(&piece),
                None => return Ok(self.buffer.rest()),
            }
        }
    }
}

/// Bytes that become lines.
#[derive(Default)]
struct LineBuffer {
    bytes: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is no line's end.
    searched: usize,
}

impl LineBuffer {
    fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole line.
    fn line(&mut self) -> Option<Vec<u8>> {
        let rest = &self.bytes[self.searched..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
            self.searched = self.bytes.len();
            return None;
        };
        let end = self.searched + length;
        let line = without_return(&self.bytes[self.start..end]);
        self.start = end + 1;
        self.searched = self.start;
        Some(line)
    }

    /// The last line, which has no end.
    fn rest(&mut self) -> Option<Vec<u8>> {
        let line = without_return(&self.bytes[self.start..]);
        self.start = self.bytes.len();
        self.searched = self.start;
        (!line.is_empty()).then_some(line)
    }
}

fn without_return(line: &[u8]) -> Vec<u8> {
    line.strip_suffix(b"\r").unwrap_or(line).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a text that comes in pieces of this many bytes.
    fn lines(text: &str, size: usize) -> Vec<String> {
        let (mut buffer, mut found) = (LineBuffer::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            buffer.push(piece);
            while let Some(line) = buffer.line() {
                found.push(line);
            }
        }
        found.extend(buffer.rest());
        found
            .into_iter()
            .map(|line| String::from_utf8(line).unwrap())
            .collect()
    }

    #[test]
    fn lines_do_not_depend_on_how_they_come() {
        let text = "one\r\ntwo ü\n\nfour";
        for size in 1..=text.len() {
            assert_eq!(lines(text, size), ["one", "two ü", "", "four"], "{size}");
        }
    }

    #[test]
    fn a_last_line_feed_makes_no_line() {
        assert_eq!(lines("one\n", 3), ["one"]);
        assert_eq!(lines("", 3), Vec::<String>::new());
    }
}
