//! What a run found: a table for people, JSON for programs, and whether everything was reached.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde::Serialize;

use crate::contender::Contender;
use crate::judge::{Against, Comparison, Figure, Figures, judge};
use crate::machine::Facts;
use crate::options::{Options, Output};
use crate::rounds::Measured;

/// Fewer rounds are no base for a verdict.
const ROUNDS: u32 = 5;

/// What a run found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    machine: Facts,
    rounds: u32,
    seconds: u32,
    changes: u32,
    rows: Vec<Row>,
    works: Vec<Samples>,
}

/// A line of the table.
#[derive(Debug, Serialize)]
struct Row {
    work: &'static str,
    figure: Figure,
    ours: Option<f64>,
    contender: Option<Contender>,
    theirs: Option<f64>,
    /// Ours by theirs; the figure itself where there is nobody to hold it against.
    value: Option<f64>,
    required: String,
    /// `None`: nothing is required. What could not be measured is not reached.
    ok: Option<bool>,
}

/// Everything that was measured of a work.
#[derive(Debug, Serialize)]
struct Samples {
    work: &'static str,
    title: &'static str,
    error: Option<String>,
    samples: BTreeMap<Contender, Vec<Figures>>,
}

impl Report {
    /// Judges what was measured.
    pub(crate) fn new(options: &Options, measured: Vec<Measured>) -> Self {
        let mut rows = Vec::new();
        for work in &measured {
            rows.extend(work.work.comparisons.iter().map(|it| row(work, it)));
        }
        Self {
            machine: Facts::gather(),
            rounds: options.rounds,
            seconds: options.seconds,
            changes: options.changes,
            rows,
            works: measured.into_iter().map(Samples::from).collect(),
        }
    }

    /// Whether nothing that is required was missed.
    pub(crate) fn all_reached(&self) -> bool {
        self.rows.iter().all(|row| row.ok != Some(false))
    }

    /// Writes it as JSON.
    pub(crate) fn save(&self, path: Option<&Path>) -> anyhow::Result<()> {
        let Some(path) = path else {
            return Ok(());
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let json = serde_json::to_vec_pretty(self)?;
        std::fs::write(path, json).with_context(|| format!("could not write {}", path.display()))
    }

    /// Prints it.
    pub(crate) fn print(&self, output: Output) -> anyhow::Result<()> {
        match output {
            Output::Json => println!("{}", serde_json::to_string_pretty(self)?),
            Output::Text => print!("{}", self.text()),
        }
        Ok(())
    }

    fn text(&self) -> String {
        let mut text = self.machine.text();
        let (rounds, seconds) = (self.rounds, self.seconds);
        text.push_str(&format!("medians of {rounds} rounds of {seconds} s\n"));
        if rounds < ROUNDS {
            text.push_str("fewer than 5 rounds: no verdict to rely on\n");
        }
        text.push('\n');
        text.push_str(&table(&self.rows));
        text.push('\n');
        for work in &self.works {
            if let Some(error) = &work.error {
                text.push_str(&format!("{}: not measured: {error}\n", work.work));
            }
        }
        text
    }
}

impl From<Measured> for Samples {
    fn from(measured: Measured) -> Self {
        Self {
            work: measured.work.name,
            title: measured.work.title,
            error: measured.error,
            samples: measured.samples,
        }
    }
}

fn row(measured: &Measured, comparison: &Comparison) -> Row {
    let median = |contender, figure| measured.median(contender, figure);
    let verdict = judge(comparison, median);
    let ok = match verdict {
        Some(verdict) => verdict.ok,
        None => comparison.bound.is_required().then_some(false),
    };
    Row {
        work: measured.work.name,
        figure: comparison.figure,
        ours: verdict.map(|verdict| verdict.ours),
        contender: match comparison.against {
            Against::Server(server) => Some(server),
            Against::Itself => None,
        },
        theirs: verdict.and_then(|verdict| verdict.other),
        value: verdict.map(|verdict| verdict.value),
        required: comparison.bound.text(),
        ok,
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header([
        "WORK",
        "FIGURE",
        "OURS",
        "CONTENDER",
        "THEIRS",
        "RATIO",
        "REQUIRED",
        "OK",
    ]);
    for row in rows {
        table.add_row(cells(row));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

fn cells(row: &Row) -> [String; 8] {
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.1}"));
    let ratio = row.theirs.and(row.value);
    [
        row.work.to_owned(),
        row.figure.title().to_owned(),
        number(row.ours),
        row.contender.map_or("-", Contender::title).to_owned(),
        number(row.theirs),
        ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        row.required.clone(),
        match row.ok {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        }
        .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::works;

    fn measured(error: Option<&str>, ours: f64, theirs: f64) -> Measured {
        let work = works::chosen(&["grpc-64x10".to_owned()]).unwrap()[0];
        let sample = |value| vec![Figures::from([(Figure::AnswersPerSecond, value)])];
        Measured {
            work,
            samples: BTreeMap::from([
                (Contender::Concierge, sample(ours)),
                (Contender::Tonic, sample(theirs)),
                (Contender::Etcd, sample(10.0)),
            ]),
            error: error.map(str::to_owned),
        }
    }

    fn rows(measured: &Measured) -> Vec<Row> {
        let comparisons = measured.work.comparisons.iter();
        comparisons.map(|it| row(measured, it)).collect()
    }

    #[test]
    fn a_row_shows_both_sides_and_what_is_required() {
        let rows = rows(&measured(None, 120.0, 100.0));
        assert_eq!(
            cells(&rows[0]),
            [
                "grpc-64x10",
                "answers/s",
                "120.0",
                "minimal tonic",
                "100.0",
                "1.20",
                ">= 1",
                "yes"
            ]
        );
        assert_eq!(rows[1].ok, Some(true));
        let short = self::rows(&measured(None, 99.0, 100.0));
        assert_eq!(short[0].ok, Some(false));
    }

    #[test]
    fn what_was_given_up_is_not_reached() {
        let rows = rows(&measured(Some("etcd is gone"), 120.0, 100.0));
        assert!(rows.iter().all(|row| row.ok == Some(false)));
        assert_eq!(cells(&rows[0])[2], "-");
    }

    #[test]
    fn a_sample_is_an_object_in_json() {
        let samples = Samples::from(measured(None, 1.5, 1.0));
        let json = serde_json::to_value(&samples).unwrap();
        assert_eq!(json["samples"]["concierge"][0]["answers_per_second"], 1.5);
    }
}
