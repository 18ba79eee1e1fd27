//! A database to look at, for whoever writes a query.

use hubshift_testkit::pg::Role;

use crate::context::Context;

/// Its name, so that a command line can be used again.
const NAME: &str = "hubshift";

/// Makes the database, says where it is, and holds it until ^C.
pub(crate) async fn hold(context: &mut Context) -> anyhow::Result<()> {
    let server = context.server().await?;
    server.create_database(NAME).await?;
    println!("DATABASE_URL={}", server.url(Role::Superuser, NAME));
    for role in [Role::Migrator, Role::Concierge, Role::Registry, Role::Merge] {
        println!(
            "# as {}: {}",
            role.name().unwrap_or("superuser"),
            server.url(role, NAME)
        );
    }
    println!("# ^C ends it, and the data with it");
    tokio::signal::ctrl_c().await?;
    Ok(())
}
