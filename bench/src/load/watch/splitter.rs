//! Cuts the bytes of one stream into gRPC messages. Pure.

/// What is left of a message whose rest has not come.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    held: Vec<u8>,
}

impl Splitter {
    /// Takes bytes; gives every message that is whole.
    pub(super) fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(&[u8])) {
        if self.held.is_empty() {
            // As it nearly always is: nothing is copied.
            let rest = cut(bytes, &mut each);
            self.held.extend_from_slice(rest);
            return;
        }
        self.held.extend_from_slice(bytes);
        let left = cut(&self.held, &mut each).len();
        self.held.drain(..self.held.len() - left);
    }
}

/// What is left behind the last whole message.
fn cut<'a>(mut bytes: &'a [u8], each: &mut impl FnMut(&[u8])) -> &'a [u8] {
    while let Some(([_compressed, length @ ..], rest)) = bytes.split_first_chunk::<5>() {
        let length = u32::from_be_bytes(*length);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let Some((message, after)) = rest.split_at_checked(length) else {
            break;
        };
        each(message);
        bytes = after;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::framed;

    #[test]
    fn messages_come_out_wherever_the_bytes_are_cut() {
        let stream = [framed(b"first"), framed(b""), framed(b"third")].concat();
        for cut in 0..=stream.len() {
            let (mut splitter, mut messages) = (Splitter::default(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                splitter.feed(part, |message| messages.push(message.to_vec()));
            }
            assert_eq!(messages, [b"first".to_vec(), vec![], b"third".to_vec()]);
            assert!(splitter.held.is_empty());
        }
    }
}
