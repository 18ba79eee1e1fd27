//! Calling one service: with a deadline, repeated while it is not there, and with errors that say
//! which service it was.

use std::error::Error as _;
use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use hubshift_api::fault;
use hubshift_shell::grpc::{self, Endpoint, GrpcChannel};
use tonic::{Code, Request, Response, Status, Streaming};

use super::retry::{Patience, is_local, is_timeout};
use crate::exit::{CliError, Repeat};
use crate::output::Output;

/// One of the three services.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    name: &'static str,
    url: String,
    channel: GrpcChannel,
    timeout: Duration,
    retry_for: Duration,
    output: Output,
    request_id: String,
}

impl Service {
    /// A service at an address; nothing is connected yet.
    ///
    /// # Errors
    /// The address or its TLS settings cannot work.
    pub(super) fn new(
        name: &'static str,
        endpoint: &Endpoint,
        retry_for: Duration,
        output: Output,
        request_id: String,
    ) -> Result<Self, CliError> {
        let refused = |error| CliError::usage(format!("{name}: {}", chain(&error)));
        let channel = grpc::channel(endpoint).map_err(refused)?;
        let (url, timeout) = (endpoint.url.clone(), endpoint.timeout);
        Ok(Self {
            name,
            url,
            channel,
            timeout,
            retry_for,
            output,
            request_id,
        })
    }

    /// Makes a unary call.
    ///
    /// # Errors
    /// The service's answer, or that there was none.
    pub(crate) async fn call<Q, A, F, Fut>(&self, message: Q, send: F) -> Result<A, CliError>
    where
        Q: Clone,
        F: Fn(GrpcChannel, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<A>, Status>>,
    {
        let mut patience = Patience::new(self.retry_for);
        loop {
            let request = grpc::deadline(Request::new(message.clone()), self.timeout);
            match send(self.channel.clone(), request).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => self.wait(&mut patience, status).await?,
            }
        }
    }

    /// Follows a stream until `each` has seen enough. A stream that breaks is opened again; its
    /// first message is then the state as it is.
    ///
    /// # Errors
    /// The service's answer, that there was none for too long, or what `each` says.
    pub(crate) async fn watch<Q, A, F, Fut, E>(
        &self,
        message: Q,
        send: F,
        mut each: E,
    ) -> Result<(), CliError>
    where
        Q: Clone,
        F: Fn(GrpcChannel, Request<Q>) -> Fut,
        Fut: Future<Output = Result<Response<Streaming<A>>, Status>>,
        E: FnMut(A) -> Result<ControlFlow<()>, CliError>,
    {
        let mut patience = Patience::new(self.retry_for);
        loop {
            let lost = match send(self.channel.clone(), Request::new(message.clone())).await {
                Ok(response) => follow(response.into_inner(), &mut patience, &mut each).await?,
                Err(status) => Some(status),
            };
            match lost {
                Some(status) => self.wait(&mut patience, status).await?,
                None => return Ok(()),
            }
        }
    }

    /// Waits before the next try, or gives up with the error.
    async fn wait(&self, patience: &mut Patience, status: Status) -> Result<(), CliError> {
        let Some(pause) = patience.next_pause(&status) else {
            return Err(self.failed(status));
        };
        let Self { name, output, .. } = self;
        output.remark(&format!("{name}: {}; trying again", self.cause(&status)));
        tokio::time::sleep(pause).await;
        Ok(())
    }

    fn failed(&self, status: Status) -> CliError {
        let repeat = Repeat {
            request_id: self.request_id.clone(),
            options: Vec::new(),
        };
        if !is_local(&status) {
            return CliError::Refused { status, repeat };
        }
        let cause = self.cause(&status);
        CliError::Unreachable {
            service: self.name,
            url: self.url.clone(),
            cause,
            repeat,
        }
    }

    fn cause(&self, status: &Status) -> String {
        if is_timeout(status) {
            return format!("no answer within {} s", self.timeout.as_secs_f64());
        }
        status
            .source()
            .map_or_else(|| status.message().to_owned(), chain)
    }
}

/// Hands on every message. Returns why the stream broke, or nothing when `each` has seen enough.
async fn follow<A>(
    mut stream: Streaming<A>,
    patience: &mut Patience,
    each: &mut impl FnMut(A) -> Result<ControlFlow<()>, CliError>,
) -> Result<Option<Status>, CliError> {
    loop {
        match stream.message().await {
            Ok(Some(message)) => {
                patience.renew();
                if each(message)?.is_break() {
                    return Ok(None);
                }
            }
            Ok(None) => {
                let text = "the service ended the stream";
                return Ok(Some(fault::status(Code::Unavailable, "STREAM_ENDED", text)));
            }
            Err(status) => return Ok(Some(status)),
        }
    }
}

/// An error with its sources, each said once.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let next = error.to_string();
        if !text.contains(&next) {
            text = format!("{text}: {next}");
        }
        source = error.source();
    }
    text
}
