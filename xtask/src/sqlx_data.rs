//! `.sqlx`: what the SQL macros know about the database, so that a build needs none. It is checked
//! in; here it is made again from the migrations, and compared.

mod collect;
mod difference;

use std::path::Path;

use anyhow::{Context as _, bail};

use crate::context::Context;

/// Where it is in the checkout.
const CHECKED_IN: &str = ".sqlx";

/// Makes it again and puts it in the place of the old one.
pub(crate) async fn regenerate(context: &mut Context) -> anyhow::Result<()> {
    let fresh = collect::collect(context).await?;
    let place = context.root.join(CHECKED_IN);
    let found = difference::between(&place, fresh.path())?;
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    std::fs::create_dir(&place)?;
    let count = copy(fresh.path(), &place)?;
    for line in &found {
        println!("{line}");
    }
    println!("{count} queries in {CHECKED_IN}, {} changed", found.len());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        std::fs::copy(entry.path(), to.join(entry.file_name())).context("could not copy")?;
        count += 1;
    }
    Ok(count)
}

/// Fails when what is checked in is not what the migrations and the queries say.
pub(crate) async fn compare(context: &mut Context) -> anyhow::Result<()> {
    let fresh = collect::collect(context).await?;
    let found = difference::between(&context.root.join(CHECKED_IN), fresh.path())?;
    if found.is_empty() {
        return Ok(());
    }
    for line in &found {
        println!("{line}");
    }
    bail!(
        "{CHECKED_IN} is out of date in {} places: run cargo xtask sqlx",
        found.len()
    );
}
