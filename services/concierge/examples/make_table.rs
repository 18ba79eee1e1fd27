//! Writes the signing key and the table file of a concierge with many fleets, so that a start
//! without a database can be measured: `make_table DIR FLEETS`.

use std::path::Path;

use anyhow::Context as _;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments.next().context("usage: make_table DIR FLEETS")?;
    let fleets = arguments.next().context("usage: make_table DIR FLEETS")?;
    let fleets = fleets.parse().context("FLEETS is a whole number")?;
    hubshift_concierge::testing::make_table(Path::new(&dir), fleets)
}
