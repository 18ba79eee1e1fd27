//! A check: what it is about, where the fact comes from, what it leaves behind, and how it ends.

use std::pin::Pin;

use serde::Serialize;
use serde_json::Value;

use crate::ask::{Answer, CallError};
use crate::room::Room;

/// What a check leaves behind on the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// Nothing: it reads, or asks for what must be refused before it is looked at.
    None,
    /// Nothing, once its own devices and configurations are deleted.
    OwnDevices,
    /// A job in the hub's history.
    Jobs,
}

/// What it means when a check finds something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The connector relies on it: a failure.
    Rule,
    /// Not settled: reported whatever it is.
    Observation,
}

/// Why a check did not find what it should. No text has a key in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The hub does something else.
    #[error("{0}")]
    Differs(String),
    /// There was no answer to judge.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Nothing to say, a note, or a failure.
pub(crate) type Found = Result<Option<String>, Failure>;

/// A check under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Found> + Send + 'a>>;

/// One fact about a hub.
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) area: &'static str,
    /// Where the fact comes from: the reference's section and its evidence.
    pub(crate) source: &'static str,
    pub(crate) harm: Harm,
    pub(crate) kind: Kind,
    pub(crate) run: for<'a> fn(&'a Room) -> Running<'a>,
}

/// The checks of an area, as a table: kind, harm, source, function.
macro_rules! checks {
    ($area:literal: $( $kind:ident $harm:ident $source:literal $name:ident; )+) => {
        /// The checks of this area.
        pub(super) const CHECKS: &[$crate::check::Check] = &[ $(
            $crate::check::Check {
                name: stringify!($name),
                area: $area,
                source: $source,
                harm: $crate::check::Harm::$harm,
                kind: $crate::check::Kind::$kind,
                run: |room| Box::pin($name(room)),
            },
        )+ ];
    };
}
pub(crate) use checks;

/// Fails with these words unless it is so.
pub(crate) fn must(is_so: bool, words: impl Into<String>) -> Result<(), Failure> {
    if is_so {
        Ok(())
    } else {
        Err(Failure::Differs(words.into()))
    }
}

/// Fails unless both are the same. Never for values with keys in them: both are shown.
pub(crate) fn same(what: &str, found: &Value, wanted: &Value) -> Result<(), Failure> {
    must(found == wanted, format!("{what} is {found}, not {wanted}"))
}

/// Nothing more to say.
pub(crate) fn held() -> Found {
    Ok(None)
}

/// Something that is worth reading.
pub(crate) fn noted(words: impl Into<String>) -> Found {
    Ok(Some(words.into()))
}

impl Answer {
    /// Fails unless it is a success.
    pub(crate) fn good(self) -> Result<Self, Failure> {
        must(
            (200..300).contains(&self.status),
            format!("refused: {}", self.shown()),
        )?;
        Ok(self)
    }

    /// Fails unless it is this status.
    pub(crate) fn status(self, status: u16) -> Result<Self, Failure> {
        let words = format!("answered {}, not {status}", self.shown());
        must(self.status == status, words)?;
        Ok(self)
    }

    /// Fails unless it is this refusal.
    pub(crate) fn refused(self, status: u16, name: &str) -> Result<Self, Failure> {
        let words = format!("answered {}, not {status} {name}", self.shown());
        must((self.status, self.error()) == (status, name), words)?;
        Ok(self)
    }

    /// Status and error name: all of an answer that may be printed.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.status, self.error())
            .trim_end()
            .to_owned()
    }
}
