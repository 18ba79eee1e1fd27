//! Lists: how many to show, and where to go on.

use std::future::Future;

use clap::Args;

use crate::exit::CliError;

/// The most that a service gives at once.
const LARGEST_PAGE: u32 = 1000;

// How much of a list. (No doc comment: clap would take it for the help text of the command.)
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Show at most this many
    #[arg(long, value_name = "N", default_value_t = 50,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    /// Go on where an earlier page ended: its `next_page_token`
    #[arg(
        long,
        value_name = "TOKEN",
        default_value = "",
        hide_default_value = true
    )]
    page_token: String,
}

impl PageArgs {
    /// Fetches pages until there are enough. Returns the items and the token of what follows.
    ///
    /// # Errors
    /// What `fetch` says.
    pub(super) async fn collect<T, F, Fut>(&self, fetch: F) -> Result<(Vec<T>, String), CliError>
    where
        F: Fn(i32, String) -> Fut,
        Fut: Future<Output = Result<(Vec<T>, String), CliError>>,
    {
        let limit = self.limit as usize;
        let mut items = Vec::new();
        let mut token = self.page_token.clone();
        loop {
            let wanted = (limit - items.len()).min(LARGEST_PAGE as usize);
            let size = i32::try_from(wanted).unwrap_or(i32::MAX);
            let (page, next) = fetch(size, token).await?;
            items.extend(page);
            token = next;
            if token.is_empty() || items.len() >= limit {
                return Ok((items, token));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn page(limit: u32) -> PageArgs {
        PageArgs {
            limit,
            page_token: String::new(),
        }
    }

    #[tokio::test]
    async fn pages_are_joined_until_there_are_enough() {
        let asked = RefCell::new(Vec::new());
        let fetch = |size: i32, token: String| {
            asked.borrow_mut().push((size, token.clone()));
            let from: i32 = token.parse().unwrap_or(0);
            async move { Ok(((from..from + size).collect(), (from + size).to_string())) }
        };
        let (items, next) = page(1500).collect(fetch).await.unwrap();
        assert_eq!(items.len(), 1500);
        assert_eq!(next, "1500");
        assert_eq!(
            *asked.borrow(),
            [(1000, String::new()), (500, "1000".to_owned())]
        );
    }

    #[tokio::test]
    async fn the_last_page_ends_it() {
        let fetch = |_, _| async { Ok((vec![1, 2], String::new())) };
        assert_eq!(
            page(50).collect(fetch).await.unwrap(),
            (vec![1, 2], String::new())
        );
    }
}
