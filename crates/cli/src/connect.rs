//! The way to the services: channels, the fleet that is meant, and the request id.
//!
//! Nothing is connected before the first call. Kept true: one command has one request id, and
//! every repetition of a call carries the same one.

mod context;
mod retry;
mod service;
mod settings;

use hubshift_api::pb::concierge::ListFleetsRequest;
use hubshift_domain::id::FleetId;
use uuid::Uuid;

use crate::args::RemoteArgs;
use crate::exit::CliError;
use crate::output::Output;

pub(crate) use service::Service;
use settings::Settings;

/// Clients of the services, under short names.
pub(crate) mod clients {
    use hubshift_api::pb::{concierge, merge, registry};
    use hubshift_shell::GrpcChannel;

    pub(crate) type Fleets = concierge::fleet_service_client::FleetServiceClient<GrpcChannel>;
    pub(crate) type Failovers =
        concierge::failover_service_client::FailoverServiceClient<GrpcChannel>;
    pub(crate) type Adoptions =
        registry::adoption_service_client::AdoptionServiceClient<GrpcChannel>;
    pub(crate) type Attachments =
        registry::attachment_service_client::AttachmentServiceClient<GrpcChannel>;
    pub(crate) type Backups = registry::backup_service_client::BackupServiceClient<GrpcChannel>;
    pub(crate) type Connections =
        registry::connection_service_client::ConnectionServiceClient<GrpcChannel>;
    pub(crate) type Fences = registry::fence_service_client::FenceServiceClient<GrpcChannel>;
    pub(crate) type Devices = registry::device_service_client::DeviceServiceClient<GrpcChannel>;
    pub(crate) type Replication =
        registry::replication_service_client::ReplicationServiceClient<GrpcChannel>;
    pub(crate) type Merges = merge::merge_service_client::MergeServiceClient<GrpcChannel>;
    pub(crate) type Metadata = merge::metadata_service_client::MetadataServiceClient<GrpcChannel>;
}

/// What a command works with.
#[derive(Debug)]
pub(crate) struct Session {
    /// Fleets and failovers.
    pub(crate) concierge: Service,
    /// Devices, hubs' connections, replication and backups.
    pub(crate) registry: Service,
    /// Merges, conflicts and documents.
    pub(crate) merge: Service,
    /// Where results go.
    pub(crate) output: Output,
    fleet: Option<FleetId>,
    request_id: Uuid,
}

impl Session {
    /// Reads the settings and makes the channels. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// Settings that cannot work: a malformed address, a missing file, an unknown key.
    pub(crate) fn open(args: &RemoteArgs) -> Result<Self, CliError> {
        let settings = Settings::resolve(args)?;
        let output = Output::new(args.output.unwrap_or_default(), args.verbose);
        let request_id = args.request_id.unwrap_or_else(Uuid::now_v7);
        output.say(&format!("request id {request_id}"));
        let service = |name, endpoint| {
            Service::new(
                name,
                endpoint,
                settings.retry_for,
                output,
                request_id.to_string(),
            )
        };
        Ok(Self {
            concierge: service("the concierge", &settings.concierge)?,
            registry: service("registry-sync", &settings.registry)?,
            merge: service("merge", &settings.merge)?,
            fleet: settings.fleet.as_deref().map(parse_fleet).transpose()?,
            output,
            request_id,
        })
    }

    /// The id of this command's request.
    pub(crate) fn request_id(&self) -> String {
        self.request_id.to_string()
    }

    /// The fleet that an option, the environment or the context file names.
    pub(crate) fn named_fleet(&self) -> Option<FleetId> {
        self.fleet.clone()
    }

    /// The fleet that is meant: the one named, or the only one that the concierge knows.
    ///
    /// # Errors
    /// No fleet is named, and there is none or more than one.
    pub(crate) async fn fleet(&self) -> Result<FleetId, CliError> {
        if let Some(fleet) = &self.fleet {
            return Ok(fleet.clone());
        }
        let request = ListFleetsRequest {
            page_size: 2,
            page_token: String::new(),
        };
        let list = |c, r| async move { clients::Fleets::new(c).list_fleets(r).await };
        let fleets = self.concierge.call(request, list).await?.fleets;
        match fleets.as_slice() {
            [only] => parse_fleet(&only.name),
            [] => Err(CliError::Missing {
                reason: "FLEET_NOT_FOUND",
                message: "there is no fleet yet; `hubshift fleet create` makes one".into(),
            }),
            _ => Err(CliError::usage(
                "there is more than one fleet; name one with --fleet",
            )),
        }
    }

    /// The fleet that is named as the command's argument, or as by [`Session::fleet`].
    ///
    /// # Errors
    /// As [`Session::fleet`]; a malformed name.
    pub(crate) async fn fleet_or(&self, named: Option<&str>) -> Result<FleetId, CliError> {
        match named {
            Some(text) => parse_fleet(text),
            None => self.fleet().await,
        }
    }
}

/// `acme`, or `fleets/acme`.
pub(crate) fn parse_fleet(text: &str) -> Result<FleetId, CliError> {
    let slug = text.strip_prefix("fleets/").unwrap_or(text);
    FleetId::new(slug).map_err(|error| CliError::usage(format!("--fleet: {error}")))
}
