//! Reading one partition: messages become hints, a batch at a time.

use std::convert::Infallible;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fe2o3_amqp::link::{CreditMode, RecvError};
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::definitions::SenderSettleMode;
use fe2o3_amqp::types::messaging::{Body, Source};
use fe2o3_amqp::types::primitives::Value;
use fe2o3_amqp::{Delivery, Receiver};
use serde_amqp::described::Described;
use serde_amqp::descriptor::Descriptor;
use tokio::time::{Instant, timeout_at};

use super::{Feed, FeedError, message, now_ms};
use crate::feed::hint::{self, News};
use crate::feed::name;
use crate::hubs::HubsError;

/// Messages that a partition may send ahead.
const CREDIT: u32 = 300;
/// News that are stored together.
const BATCH: usize = 100;
/// How long the first news of a batch waits for others.
const GATHER: Duration = Duration::from_millis(200);
/// The name of filters by selector.
const SELECTOR: &str = "apache.org:selector-filter:string";
/// What says that a value is such a filter.
const SELECTOR_CODE: u64 = 0x0000_468C_0000_0004;

/// A link that brings a partition's messages, from those on that came in after `since`.
pub(super) async fn attach(
    session: &mut SessionHandle<()>,
    name: String,
    address: String,
    since: i64,
) -> Result<Receiver, FeedError> {
    let source = Source::builder()
        .address(address)
        .add_to_filter(SELECTOR, since_filter(since))
        .build();
    let builder = Receiver::builder()
        .name(name)
        .source(source)
        // An event hub keeps no account of what was read: there is nothing to be settled.
        .sender_settle_mode(SenderSettleMode::Settled)
        .credit_mode(CreditMode::Auto(CREDIT));
    Ok(Box::pin(builder.attach(session)).await?)
}

fn since_filter(since: i64) -> Described<Value> {
    Described {
        descriptor: Descriptor::Code(SELECTOR_CODE),
        value: Value::String(format!("amqp.annotation.x-opt-enqueued-time > '{since}'")),
    }
}

impl Feed {
    /// Reads a partition until that breaks.
    pub(super) async fn read(&self, mut receiver: Receiver) -> Result<Infallible, FeedError> {
        loop {
            let news = gather(&mut receiver).await?;
            self.keep(news).await?;
            self.read_until.fetch_max(now_ms(), Ordering::Relaxed);
        }
    }

    /// Stores what is told of our hub. Nobody waits for news of a hub that is not connected.
    async fn keep(&self, news: Vec<News>) -> Result<(), FeedError> {
        if news.is_empty() {
            return Ok(());
        }
        let (fleet, hub) = (&self.config.fleet, &self.config.hub);
        let row = match self.deps.hubs.row(fleet, hub).await {
            Ok(row) => row,
            Err(HubsError::Store(error)) => return Err(error.into()),
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(%fleet, %hub, error, "events of a hub that is not connected");
                return Ok(());
            }
        };
        // Several hubs may route to one event hub.
        let ours = news
            .into_iter()
            .filter(|news| name::is_of(&news.hub_name, &row.host));
        let hints = ours.map(|news| news.hint).collect();
        hint::keep(&self.deps, fleet, hub, hints).await?;
        Ok(())
    }
}

/// Waits for a message and takes what follows it closely: [`BATCH`] news, or those of [`GATHER`].
async fn gather(receiver: &mut Receiver) -> Result<Vec<News>, FeedError> {
    let mut news = Vec::new();
    let first = receiver.recv::<Body<Value>>().await;
    news.extend(take(receiver, first).await?);
    let end = Instant::now() + GATHER;
    while news.len() < BATCH {
        // Nothing is lost when receiving is cut short: a message is there whole or not yet.
        let Ok(next) = timeout_at(end, receiver.recv::<Body<Value>>()).await else {
            break;
        };
        news.extend(take(receiver, next).await?);
    }
    Ok(news)
}

/// Makes room for another message, and says what this one tells. One that cannot be read is passed
/// over: devices send what they like.
async fn take(
    receiver: &Receiver,
    received: Result<Delivery<Body<Value>>, RecvError>,
) -> Result<Option<News>, FeedError> {
    match received {
        Ok(delivery) => {
            receiver.accept(&delivery).await?;
            Ok(message::news(delivery.message()))
        }
        Err(RecvError::MessageDecode(error)) => {
            receiver.accept(error.info).await?;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_what_event_hubs_understand() {
        let filter = since_filter(1_795_780_800_000);
        let expected = "amqp.annotation.x-opt-enqueued-time > '1795780800000'";
        assert_eq!(filter.value, Value::from(expected));
        assert_eq!(filter.descriptor, Descriptor::Code(77_567_109_365_764));
    }
}
