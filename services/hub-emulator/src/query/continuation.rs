//! Where the next page of a query starts: after a device id, so that devices that come or go
//! between pages shift nothing.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The start of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Continuation {
    pub(crate) after: String,
}

impl Continuation {
    pub(crate) fn after(id: &str) -> Self {
        Self {
            after: id.to_owned(),
        }
    }

    /// As a header carries it, bound to the query.
    pub(crate) fn write(&self, query: &str) -> String {
        URL_SAFE_NO_PAD.encode(format!("{:016x}{}", fingerprint(query), self.after))
    }

    /// Reads a header. Nothing if it is not ours or belongs to another query.
    pub(crate) fn read(token: &str, query: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token.trim()).ok()?).ok()?;
        let after = text.strip_prefix(&format!("{:016x}", fingerprint(query)))?;
        Some(Self::after(after))
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
        let token = Continuation::after("d$1").write("select * from devices");
        let read = |query| Continuation::read(&token, query).map(|found| found.after);
        assert_eq!(read("select * from devices").as_deref(), Some("d$1"));
        assert_eq!(read("select * from devices where status = 'enabled'"), None);
        assert_eq!(
            Continuation::read("nonsense", "select * from devices"),
            None
        );
    }
}
