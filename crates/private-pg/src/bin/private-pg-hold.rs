//! Starts a private cluster, prints its server's process id, its port and its home on one line,
//! and holds it until standard input ends: the command that a test kills.

use std::error::Error;
use std::io::{Read, Write};

use hubshift_private_pg::{Cluster, Settings};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let cluster = Cluster::start(Settings::throw_away()).await?;
    let pid = cluster.server_pid().ok_or("the server has no process id")?;
    let mut stdout = std::io::stdout();
    writeln!(
        stdout,
        "{pid} {} {}",
        cluster.port(),
        cluster.home().display()
    )?;
    stdout.flush()?;
    std::io::stdin().read_to_end(&mut Vec::new())?;
    cluster.stop().await?;
    Ok(())
}
