//! nginx with the answer as a static file: one process, no log, connections that stay.

use std::path::Path;

use anyhow::Context as _;

use crate::answers::FLEET;
use crate::load::Load;
use crate::ports;
use crate::probe::{Page, Version};
use crate::process::Process;
use crate::tools;
use crate::world::World;

use super::Contender;

/// Starts it.
pub(super) async fn start(world: &World, load: &Load) -> anyhow::Result<Process> {
    let dir = world.place.memory.path().join("nginx");
    let page = &world.answers.of(load.who()).page;
    lay_out(&dir, page).context("could not write nginx' files")?;
    let program = tools::find("nginx")?;
    let (core, logs) = (world.place.options.server_core, world.place.disk.path());
    let mut process = Process::start("nginx", core, logs, &program, |command| {
        command.arg("-p").arg(&dir);
        command.arg("-c").arg(dir.join("nginx.conf"));
    })?;
    process
        .until_open(Contender::Nginx.addr(Version::Http2))
        .await?;
    Ok(process)
}

fn lay_out(dir: &Path, page: &Page) -> std::io::Result<()> {
    let fleet = dir.join("www/v1/fleets").join(FLEET);
    std::fs::create_dir_all(&fleet)?;
    std::fs::write(fleet.join("endpoint"), &page.body)?;
    std::fs::write(dir.join("nginx.conf"), configuration(dir, page))
}

/// Everything that makes it slower without need is off; it makes entity tags by itself.
fn configuration(dir: &Path, page: &Page) -> String {
    let dir = dir.display();
    let (http1, http2) = (ports::NGINX, ports::NGINX_H2);
    let content_type = page.header("content-type").unwrap_or("application/json");
    let caching = page.header("cache-control").unwrap_or("no-cache");
    format!(
        r#"daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 16384;
pid {dir}/pid;
error_log stderr crit;
events {{
  worker_connections 8192;
  multi_accept on;
}}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  etag on;
  keepalive_timeout 1h;
  keepalive_requests 1000000000;
  open_file_cache max=16 inactive=1h;
  open_file_cache_valid 1h;
  default_type "{content_type}";
  add_header Cache-Control "{caching}";
  client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy;
  fastcgi_temp_path {dir}/fastcgi;
  uwsgi_temp_path {dir}/uwsgi;
  scgi_temp_path {dir}/scgi;
  root {dir}/www;
  server {{ listen 127.0.0.1:{http1} backlog=4096; }}
  server {{ listen 127.0.0.1:{http2} http2 backlog=4096; }}
}}
"#
    )
}
