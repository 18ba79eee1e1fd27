//! Why an event hub is not read. No text has a key in it.

use std::io;

use fe2o3_amqp::connection::OpenError;
use fe2o3_amqp::link::{
    IllegalLinkStateError, ReceiverAttachError, RecvError, SendError, SenderAttachError,
};
use fe2o3_amqp::session::BeginError;
use fe2o3_amqp::types::sasl::SaslCode;
use hubshift_azure::EventHubEndpointError;
use hubshift_shell::tls::TlsError;
use hubshift_store::StoreError;

use crate::secret::SecretError;

/// Why an event hub is not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The connection string can't be had.
    #[error("the endpoint's secret cannot be read")]
    Secret(#[source] SecretError),
    /// The secret is no connection string of an event hub.
    #[error("the endpoint's secret cannot be used: {0}")]
    Endpoint(EventHubEndpointError),
    /// The certificates to trust can't be used.
    #[error("the certificates to trust cannot be used")]
    Ca(#[source] Box<TlsError>),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// Nobody is there, or nobody to trust.
    #[error("the endpoint cannot be reached")]
    Unreachable(#[source] io::Error),
    /// The policy is not known there, or its key is another.
    #[error("the endpoint refuses the policy or its key")]
    Refused,
    /// Something took too long.
    #[error("{0} did not come about in time")]
    Timeout(&'static str),
    /// The endpoint refused something, or went away.
    #[error("{0} failed: {1}")]
    Amqp(&'static str, String),
    /// The answer does not say which partitions there are.
    #[error("the endpoint does not say which partitions the event hub has")]
    Partitions,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OpenError> for FeedError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Io(error) => Self::Unreachable(error),
            OpenError::SaslError {
                code: SaslCode::Auth,
                ..
            } => Self::Refused,
            // What else comes with a refused login is the peer's to choose, and not shown.
            OpenError::SaslError { code, .. } => Self::Amqp("the login", format!("{code:?}")),
            error => Self::Amqp("the connection", error.to_string()),
        }
    }
}

impl From<BeginError> for FeedError {
    fn from(error: BeginError) -> Self {
        Self::Amqp("the session", error.to_string())
    }
}

impl From<SenderAttachError> for FeedError {
    fn from(error: SenderAttachError) -> Self {
        Self::Amqp("the link for requests", error.to_string())
    }
}

impl From<ReceiverAttachError> for FeedError {
    fn from(error: ReceiverAttachError) -> Self {
        Self::Amqp("a link for messages", error.to_string())
    }
}

impl From<SendError> for FeedError {
    fn from(error: SendError) -> Self {
        Self::Amqp("the request", error.to_string())
    }
}

impl From<RecvError> for FeedError {
    fn from(error: RecvError) -> Self {
        Self::Amqp("reading", error.to_string())
    }
}

impl From<IllegalLinkStateError> for FeedError {
    fn from(error: IllegalLinkStateError) -> Self {
        Self::Amqp("settling a message", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_is_told_without_what_the_peer_said_of_it() {
        let refusal = |code| OpenError::SaslError {
            code,
            additional_data: Some(b"canary".to_vec().into()),
        };
        let refused = FeedError::from(refusal(SaslCode::Auth));
        assert!(matches!(refused, FeedError::Refused), "{refused:?}");
        let failed = FeedError::from(refusal(SaslCode::SysTemp));
        assert_eq!(failed.to_string(), "the login failed: SysTemp");
    }
}
