//! Raw rows of a hub, for those who look and do not write: queries, configurations, jobs.

use hubshift_azure::headers;
use reqwest::Method;
use serde_json::{Value, json};

use super::AzureHub;
use super::listing::MAX_PAGE;
use super::transport::{Class, Request};
use crate::outcome::{HubError, Outcome};

/// A page of a query's rows, as the hub gives them.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The rows. Queries never carry keys.
    pub rows: Vec<Value>,
    /// Where the next page starts; nothing on the last.
    pub next: Option<String>,
}

impl AzureHub {
    /// A page of a query.
    pub async fn rows(&self, query: &str, cursor: Option<&str>) -> Outcome<Rows> {
        self.try_rows(query, cursor).await.into()
    }

    /// All configurations and deployments: a hub has a hundred at most.
    pub async fn configuration_rows(&self) -> Outcome<Vec<Value>> {
        let request = Request::new(Class::Configuration, Method::GET, &["configurations"]);
        self.list_of(request).await.into()
    }

    /// The import and export jobs that the hub remembers.
    pub async fn job_rows(&self) -> Outcome<Vec<Value>> {
        let request = Request::new(Class::Job, Method::GET, &["jobs"]);
        self.list_of(request).await.into()
    }

    async fn try_rows(&self, query: &str, cursor: Option<&str>) -> Result<Rows, HubError> {
        let request = Request::new(Class::Query, Method::POST, &["devices", "query"])
            .body(&json!({ "query": query }))
            .header(headers::MAX_ITEM_COUNT, &MAX_PAGE.to_string());
        let request = match cursor {
            Some(cursor) => request.header(headers::CONTINUATION, cursor),
            None => request,
        };
        let reply = self.transport.begin().send(request).await?;
        let next = reply
            .header(headers::CONTINUATION)
            .filter(|next| !next.is_empty())
            .map(str::to_owned);
        Ok(Rows {
            rows: reply.json()?,
            next,
        })
    }

    async fn list_of(&self, request: Request) -> Result<Vec<Value>, HubError> {
        self.transport.begin().send(request).await?.json()
    }
}
