//! The registry as an export reads it: all of it as it was at one moment, or piece by piece while
//! it is written. The real hub promises neither.

use hubshift_azure::ExportImportDevice;

use crate::app::App;

/// How many devices the first piece has. Each further one has twice as many, so that a large
/// registry is not gone through from its start too often.
const FIRST_PIECE: usize = 50;
/// The most devices of a piece.
const MAX_PIECE: usize = 4096;

/// What is still to be read.
pub(super) struct Pieces {
    is_at_once: bool,
    is_over: bool,
    last: Option<String>,
    size: usize,
}

impl Pieces {
    pub(super) fn new(while_written: bool) -> Self {
        Self {
            is_at_once: !while_written,
            is_over: false,
            last: None,
            size: FIRST_PIECE,
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
        let piece = piece_after(registry.entries(), self.last.as_deref(), self.size);
        self.size = (self.size * 2).min(MAX_PIECE);
        self.is_over = piece.is_empty();
        self.last = piece.last().map(|entry| entry.id.clone());
        (!piece.is_empty()).then_some(piece)
    }
}

/// So many devices from after this one, each together with its modules.
fn piece_after(
    entries: impl Iterator<Item = ExportImportDevice>,
    last: Option<&str>,
    size: usize,
) -> Vec<ExportImportDevice> {
    let mut piece: Vec<ExportImportDevice> = Vec::new();
    let mut devices = 0;
    for entry in entries.skip_while(|entry| last.is_some_and(|last| entry.id.as_str() <= last)) {
        let is_next_device = piece.last().is_none_or(|before| before.id != entry.id);
        devices += usize::from(is_next_device);
        if devices > size {
            break;
        }
        piece.push(entry);
    }
    piece
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, module: Option<&str>) -> ExportImportDevice {
        ExportImportDevice {
            id: id.to_owned(),
            module_id: module.map(str::to_owned),
            ..ExportImportDevice::default()
        }
    }

    #[test]
    fn a_device_stays_together_with_its_modules() {
        let all = [
            entry("a", None),
            entry("a", Some("m")),
            entry("a", Some("n")),
            entry("b", None),
            entry("c", None),
        ];
        let piece = |last, size| {
            let piece = piece_after(all.iter().cloned(), last, size);
            piece.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
        };
        assert_eq!(piece(None, 1), ["a", "a", "a"]);
        assert_eq!(piece(Some("a"), 2), ["b", "c"]);
        // A device that is gone meanwhile does not matter.
        assert_eq!(piece(Some("aa"), 1), ["b"]);
        assert_eq!(piece(Some("c"), 2), Vec::<String>::new());
    }
}
