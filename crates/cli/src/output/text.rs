//! Text for people: tables without lines, and blocks of names and values.

use comfy_table::{Table, presets};

/// A table with a header; columns are as wide as they need to be.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(
        header
            .iter()
            .map(|title| title.to_uppercase())
            .collect::<Vec<_>>(),
    );
    for row in rows {
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// Names and values, one a line, the values below each other.
#[derive(Debug, Default)]
pub(crate) struct Block {
    lines: Vec<(String, String)>,
}

impl Block {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds a line; an empty value is left out.
    #[must_use]
    pub(crate) fn line(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        let value = value.to_string();
        if !value.is_empty() {
            self.lines.push((name.into(), value));
        }
        self
    }

    /// Adds a line, if there is a value.
    #[must_use]
    pub(crate) fn maybe(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.line(name, value),
            None => self,
        }
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let width = self
            .lines
            .iter()
            .map(|(name, _)| name.chars().count())
            .max()
            .unwrap_or(0);
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|(name, value)| format!("{name:width$}  {value}"))
            .collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up_and_has_no_space_at_its_ends() {
        let rows = vec![vec!["acme".to_owned(), "1025".to_owned()]];
        assert_eq!(
            table(&["fleet", "epoch"], rows),
            "FLEET  EPOCH\nacme   1025"
        );
    }

    #[test]
    fn a_block_leaves_out_what_is_empty() {
        let block = Block::new()
            .line("fleet", "acme")
            .line("note", "")
            .maybe("epoch", Some(7));
        assert_eq!(block.text(), "fleet  acme\nepoch  7");
        assert_eq!(Block::new().maybe("epoch", None::<u64>).text(), "");
    }
}
