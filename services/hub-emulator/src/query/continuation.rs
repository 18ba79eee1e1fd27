//! Where the next page of a query starts: after the key of a row, so that rows that come or go
//! between pages shift nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The start of a page. The default is the start of the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// The last key of the page before.
    pub(super) after: Option<String>,
    /// How many rows the pages before had: `top` counts them.
    pub(super) given: usize,
}

impl Continuation {
    /// As a header carries it, bound to the query.
    pub(crate) fn write(&self, query: &str) -> String {
        let after = self.after.as_deref().unwrap_or_default();
        let text = format!("{:016x}{}:{after}", fingerprint(query), self.given);
        URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads a header. Nothing if it is not ours or belongs to another query.
    pub(crate) fn read(token: &str, query: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim()).ok()?).ok()?;
        let rest = text.strip_prefix(&format!("{:016x}", fingerprint(query)))?;
        let (given, after) = rest.split_once(':')?;
        Some(Self {
            after: Some(after.to_owned()),
            given: given.parse().ok()?,
        })
    }
}

fn fingerprint(query: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    query.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_continuation_belongs_to_its_query() {
        let start = Continuation {
            after: Some("d:$1".to_owned()),
            given: 12,
        };
        let token = start.write("select * from devices");
        let read = |query| Continuation::read(&token, query);
        assert_eq!(read("select * from devices"), Some(start));
        assert_eq!(read("select * from devices where status = 'enabled'"), None);
        assert_eq!(
            Continuation::read("nonsense", "select * from devices"),
            None
        );
    }
}
