//! HTTP as every way out uses it: to hubs, to who gives tokens, to the management plane.
//!
//! Nothing here is durable. Keeps true: no redirect is followed, no proxy is asked, no
//! certificate is trusted but those that the settings name, and no error text has a URL in it.

mod client;
mod failure;

pub(crate) use client::client;
pub(crate) use failure::{Failure, seconds};
