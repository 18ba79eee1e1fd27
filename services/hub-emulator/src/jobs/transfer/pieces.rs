//! The registry as an export reads it: all of it as it was at one moment, or piece by piece while
//! it is written. The real hub promises neither.

use hubshift_azure::ExportImportDevice;

use crate::app::App;
use crate::registry::Record;

/// How many devices a piece has.
const PIECE: usize = 50;

/// What is still to be read.
pub(super) struct Pieces {
    is_at_once: bool,
    is_over: bool,
    last: Option<String>,
}

impl Pieces {
    pub(super) fn new(while_written: bool) -> Self {
        Self {
            is_at_once: !while_written,
            is_over: false,
            last: None,
        }
    }

    /// Reads the next piece, under the registry's lock. Nothing at the end.
    pub(super) fn next(&mut self, app: &App) -> Option<Vec<ExportImportDevice>> {
        if self.is_over {
            return None;
        }
        let registry = app.registry();
        if self.is_at_once {
            self.is_over = true;
            return Some(registry.entries().collect());
        }
        let after = self.last.take();
        let records: Vec<&Record> = registry.after(after.as_deref()).take(PIECE).collect();
        // Those that are made behind this piece meanwhile are not part of the export.
        self.is_over = records.len() < PIECE;
        self.last = records.last().map(|record| record.device_id.clone());
        Some(records.into_iter().flat_map(Record::entries).collect())
    }
}
