//! ETags in headers: the hub and its clients quote them, bodies do not.

/// What an `If-Match` header asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Whatever is there: `*` or `"*"`. (All of Microsoft's clients send it quoted.)
    Any,
    /// This etag, unquoted.
    Etag(String),
}

/// The etag as a header carries it.
pub fn quote(etag: &str) -> String {
    format!("\"{etag}\"")
}

/// The etag without its quotes, if it has any.
pub fn unquote(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(text)
}

impl IfMatch {
    /// Reads a header's value, quoted or not.
    pub fn parse(header: &str) -> Self {
        match unquote(header.trim()) {
            "*" => Self::Any,
            etag => Self::Etag(etag.to_owned()),
        }
    }

    /// Whether the current etag is the one that was asked for.
    pub fn allows(&self, current: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Etag(etag) => etag == current,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_and_bare_mean_the_same() {
        assert_eq!(IfMatch::parse("\"*\""), IfMatch::Any);
        assert_eq!(IfMatch::parse("*"), IfMatch::Any);
        assert_eq!(IfMatch::parse("\"MA==\""), IfMatch::parse("MA=="));
        assert!(IfMatch::parse("\"MA==\"").allows("MA=="));
        assert!(!IfMatch::parse("MA==").allows("MQ=="));
    }

    #[test]
    fn a_lone_quote_stays() {
        assert_eq!(unquote("\""), "\"");
    }
}
