//! What makes a change: an operator's `UpdateFleet`, at the concierge and at the bare broadcast, or
//! etcd's `Put`.

use anyhow::Context as _;
use bytes::Bytes;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use tonic::transport::Channel;

use crate::answers::FLEET;
use crate::contender::{Contender, etcd};
use crate::world::{World, until};
use crate::{fleets, grpc, marker};

/// What makes a change.
pub(super) enum Trigger {
    /// The display name.
    Fleet(FleetServiceClient<Channel>),
    /// The value.
    Etcd {
        /// To etcd.
        channel: Channel,
        /// A value of the same bytes as a message to a watcher.
        value: Bytes,
    },
}

impl Trigger {
    /// For a server that just started; etcd is given its first value.
    pub(super) async fn new(world: &World, contender: Contender) -> anyhow::Result<Self> {
        let channel = grpc::channel(contender.watch_addr())?;
        if contender != Contender::Etcd {
            return Ok(Self::Fleet(FleetServiceClient::new(channel)));
        }
        let value = world.answers.watched.clone();
        let first = etcd::put(&value);
        until("etcd takes no value", || {
            etcd::send_put(&channel, first.clone())
        })
        .await?;
        Ok(Self::Etcd { channel, value })
    }

    /// Makes a change; returns when it was taken.
    pub(super) async fn fire(&mut self, change: u32) -> anyhow::Result<()> {
        match self {
            Self::Fleet(client) => {
                let updated = client.update_fleet(fleets::change(FLEET, change)).await;
                updated.context("the fleet was not changed")?;
                Ok(())
            }
            Self::Etcd { channel, value } => {
                let value = marker::replace(value, change).context("a value without a marker")?;
                etcd::send_put(channel, etcd::put(&value)).await
            }
        }
    }
}
