//! What every service's main needs: configuration, telemetry, TLS, serving, health, shutdown.
//!
//! A main reads: `config::load` → `telemetry::init` → `shutdown::signal_token` → `serve::bind` →
//! `serve::serve(listener, GrpcServer::…into_router(), tls, token)`. Nothing here is durable and
//! nothing here knows what a service does.

pub mod admin;
pub mod caller;
pub mod config;
pub mod exit;
pub mod grpc;
pub mod serve;
pub mod shutdown;
pub mod tasks;
pub mod telemetry;
pub mod tls;
pub mod trace;

pub use caller::Caller;
pub use grpc::{GrpcChannel, GrpcServer, Health};
pub use serve::front::{
    CLIENT_TOO_FAST, Front, FrontConfig, Limits, OVERLOADED, Refusal, RouterFront, Visit,
};
pub use serve::{BindError, Peer, StreamEnd, bind, serve};
pub use tasks::Tasks;
