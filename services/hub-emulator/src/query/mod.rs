//! The hub's query language, over twins of devices and modules and over scheduled jobs.
//!
//! ```text
//! select [top 5] * | FIELD [as NAME], ... | count() as NAME, avg(FIELD) as NAME, ...
//!   from devices | devices.modules | devices.jobs
//!   [where EXPRESSION] [group by FIELD]
//! ```
//!
//! Keywords, functions and the hub's own names go in any case. A field that has a keyword's name,
//! or one that is no plain word, stands in brackets: `tags.[[group]]`, `tags.['my-tag']`.
//!
//! Keeps true: what is not understood is refused with its place, never answered wrongly. Nothing
//! here knows of the registry, of time or of HTTP: rows come in, rows go out.

mod aggregate;
mod continuation;
mod error;
mod eval;
mod expr;
mod function;
mod parse;
mod parse_expr;
mod path;
mod reader;
mod select;
mod statement;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use continuation::Continuation;
pub(crate) use select::Page;
pub(crate) use statement::{Collection, Query};
