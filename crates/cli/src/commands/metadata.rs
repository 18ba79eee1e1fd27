//! `hubshift metadata`: a solution's own documents.

mod put;

use clap::{Args, Subcommand, ValueEnum};
use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, names};
use crate::connect::Session;
use crate::connect::clients::Metadata;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{DocumentView, NamespaceView};
use put::PutArgs;

/// Commands about documents.
#[derive(Debug, Subcommand)]
pub(crate) enum MetadataCommand {
    /// Shows a document with its open branches
    #[command(after_help = "Example:\n  hubshift metadata get sites oslo")]
    Get(DocumentArg),
    /// Lists documents
    #[command(after_help = "Example:\n  hubshift metadata list sites")]
    List(ListArgs),
    /// Writes or deletes a document
    #[command(after_help = put::EXAMPLES)]
    Put(PutArgs),
    /// Sets how concurrent branches of a namespace's documents meet
    #[command(after_help = "Example:\n  hubshift metadata policy counters --set counter")]
    Policy(PolicyArgs),
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct DocumentArg {
    /// Namespace of the document
    namespace: String,

    /// Its key
    #[arg(value_name = "KEY")]
    document_key: String,
}

impl DocumentArg {
    fn name(&self, id: &FleetId) -> String {
        names::document(id, &self.namespace, &self.document_key)
    }
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only of this namespace
    #[arg(default_value = "-", hide_default_value = true)]
    namespace: String,

    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The namespace
    namespace: String,

    /// The policy
    #[arg(long = "set", value_enum, value_name = "POLICY")]
    policy: Policy,
}

/// How branches meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Policy {
    /// Three-way by JSON leaf
    JsonLeaf,
    /// The later write wins; the earlier one is lost on purpose
    Lww,
    /// Arrays as sets
    SetUnion,
    /// Numbers: the changes of both sides are added
    Counter,
    /// Numbers: the larger one
    Max,
    /// Numbers: the smaller one
    Min,
    /// Keep all branches, show one
    Siblings,
    /// A person decides
    Manual,
}

impl Policy {
    fn wire(self) -> pb::NamespacePolicy {
        match self {
            Self::JsonLeaf => pb::NamespacePolicy::JsonLeaf,
            Self::Lww => pb::NamespacePolicy::Lww,
            Self::SetUnion => pb::NamespacePolicy::SetUnion,
            Self::Counter => pb::NamespacePolicy::Counter,
            Self::Max => pb::NamespacePolicy::Max,
            Self::Min => pb::NamespacePolicy::Min,
            Self::Siblings => pb::NamespacePolicy::Siblings,
            Self::Manual => pb::NamespacePolicy::Manual,
        }
    }
}

impl Operate for MetadataCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Get(arg) => {
                let document = fetch(session, arg.name(&id)).await?;
                session.output.show(&DocumentView::from(document))
            }
            Self::List(args) => list(session, &id, &args).await,
            Self::Put(args) => put::run(session, &id, args).await,
            Self::Policy(args) => set_policy(session, &id, &args).await,
        }
    }
}

/// The document of this name.
async fn fetch(session: &Session, name: String) -> Result<pb::Document, CliError> {
    let send = |c, r| async move { Metadata::new(c).get_document(r).await };
    session
        .merge
        .call(pb::GetDocumentRequest { name }, send)
        .await
}

async fn list(session: &Session, id: &FleetId, args: &ListArgs) -> Result<(), CliError> {
    let parent = &names::namespace(id, &args.namespace);
    let fetch = |page_size, page_token| async move {
        let request = pb::ListDocumentsRequest {
            parent: parent.clone(),
            page_size,
            page_token,
        };
        let send = |c, r| async move { Metadata::new(c).list_documents(r).await };
        let found = session.merge.call(request, send).await?;
        Ok((found.documents, found.next_page_token))
    };
    let (documents, next) = args.page.collect(fetch).await?;
    session
        .output
        .show(&Page::<DocumentView>::new(documents, next))
}

async fn set_policy(session: &Session, id: &FleetId, args: &PolicyArgs) -> Result<(), CliError> {
    let namespace = pb::Namespace {
        name: names::namespace(id, &args.namespace),
        policy: args.policy.wire().into(),
    };
    let request = pb::UpdateNamespaceRequest {
        namespace: Some(namespace),
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Metadata::new(c).update_namespace(r).await };
    let namespace = session.merge.call(request, send).await?;
    session.output.show(&NamespaceView::from(namespace))
}
