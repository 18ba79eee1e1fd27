//! The ports: public, operator, admin. The first two have threads of their own.

use std::net::SocketAddr;
use std::sync::Arc;

use hubshift_shell::tls::ServerTls;
use hubshift_shell::{RouterFront, Tasks, admin, bind};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::parts::Parts;
use super::unusable;
use crate::config::Config;

/// The ports, taken before anything else runs.
pub(super) struct Listeners {
    public: (TcpListener, Option<Arc<rustls::ServerConfig>>),
    operator: (TcpListener, Option<Arc<rustls::ServerConfig>>),
    admin: Option<TcpListener>,
}

impl Listeners {
    /// Takes the ports and reads the certificates.
    pub(super) fn open(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            public: (
                bind(config.public_listen)?,
                tls(config.public_tls.as_ref())?,
            ),
            operator: (
                bind(config.operator_listen)?,
                tls(config.operator_tls.as_ref())?,
            ),
            admin: config.admin_listen.map(bind).transpose()?,
        })
    }

    /// Public, operator, admin.
    pub(super) fn addresses(
        &self,
    ) -> std::io::Result<(SocketAddr, SocketAddr, Option<SocketAddr>)> {
        let admin = self
            .admin
            .as_ref()
            .map(TcpListener::local_addr)
            .transpose()?;
        Ok((
            self.public.0.local_addr()?,
            self.operator.0.local_addr()?,
            admin,
        ))
    }

    /// Serves on all of them until the tasks stop. Call it inside the runtime that the handlers are
    /// to run on.
    pub(super) fn serve(self, config: &Config, parts: &Parts, tasks: &Tasks) {
        let closing = tasks.token();
        let runtime = Handle::current();
        let public = parts.public_front(runtime.clone());
        let operator = RouterFront::new(parts.operator_router(&closing), runtime);
        let (listener, tls) = self.public;
        tasks.listen_front(
            "public listener",
            listener,
            tls,
            public,
            config.public_front(),
        );
        let (listener, tls) = self.operator;
        tasks.listen_front(
            "operator listener",
            listener,
            tls,
            operator,
            config.operator_front(),
        );
        if let Some(listener) = self.admin {
            let router = admin::router(parts.operator.clone(), admin::install_metrics());
            tasks.listen("admin listener", listener, None, router);
        }
    }
}

fn tls(config: Option<&ServerTls>) -> anyhow::Result<Option<Arc<rustls::ServerConfig>>> {
    let loaded = config.map(ServerTls::load).transpose();
    Ok(loaded.map_err(unusable("TLS of a listener can't be used"))?)
}
