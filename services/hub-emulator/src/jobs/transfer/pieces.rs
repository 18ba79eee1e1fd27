//! The registry as an export reads it: all of it as it was at one moment, or piece by piece while
//! it is written. The real hub promises neither.

use std::sync::Arc;
use std::vec::IntoIter;

use hubshift_azure::ExportImportDevice;

use crate::app::App;
use crate::registry::Record;

/// How many devices a piece has.
const PIECE: usize = 50;

/// What is still to be read.
pub(super) enum Pieces {
    /// What is left of a moment.
    Moment(IntoIter<Arc<Record>>),
    /// What comes after this device, as it is when it is read.
    Written {
        after: Option<String>,
        is_over: bool,
    },
}

impl Pieces {
    pub(super) fn new(app: &App, while_written: bool) -> Self {
        if while_written {
            let (after, is_over) = (None, false);
            return Self::Written { after, is_over };
        }
        Self::Moment(app.registry().snapshot().into_iter())
    }

    /// The next piece. Nothing at the end.
    pub(super) fn next(&mut self, app: &App) -> Option<Vec<ExportImportDevice>> {
        let records: Vec<Arc<Record>> = match self {
            Self::Moment(records) => records.take(PIECE).collect(),
            Self::Written { is_over: true, .. } => return None,
            Self::Written { after, is_over } => {
                let records = app.registry().records_after(after.as_deref(), PIECE);
                // Those that are made behind this piece meanwhile are not part of the export.
                *is_over = records.len() < PIECE;
                *after = records.last().map(|record| record.device_id.clone());
                records
            }
        };
        let entries = records.iter().flat_map(|record| record.entries());
        (!records.is_empty()).then(|| entries.collect())
    }
}
