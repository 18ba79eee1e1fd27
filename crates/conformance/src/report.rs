//! What came of a run, for people and for programs.

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::check::{Check, Harm, Kind};

/// How a check ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", content = "words", rename_all = "snake_case")]
pub enum Verdict {
    /// The hub does what it should.
    Held,
    /// What was found; it is no failure whatever it is.
    Observed(String),
    /// The hub does something else, or did not answer.
    Failed(String),
    /// Not run, because it would leave something behind.
    Skipped,
}

/// A check and how it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The check's name.
    pub name: &'static str,
    /// What part of the API it is about.
    pub area: &'static str,
    /// Where the fact comes from.
    pub source: &'static str,
    /// What it leaves behind.
    pub harm: Harm,
    /// What it means when something else is found.
    pub kind: Kind,
    /// How it ended.
    #[serde(flatten)]
    pub verdict: Verdict,
}

/// Everything that a run found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// All checks, in the order in which they ran.
    pub rows: Vec<Row>,
    /// Devices and configurations that could not be deleted.
    pub left_behind: Vec<String>,
    /// How often the hub answered 429.
    pub throttled: u32,
    /// How often it then said how long to wait.
    pub told_to_wait: u32,
    /// Whether the run was stopped before its end.
    pub is_stopped: bool,
}

impl Row {
    pub(crate) fn new(check: &Check, verdict: Verdict) -> Self {
        Self {
            name: check.name,
            area: check.area,
            source: check.source,
            harm: check.harm,
            kind: check.kind,
            verdict,
        }
    }
}

impl Verdict {
    fn word(&self) -> &'static str {
        match self {
            Self::Held => "ok",
            Self::Observed(_) => "seen",
            Self::Failed(_) => "FAILED",
            Self::Skipped => "skipped",
        }
    }

    fn words(&self) -> &str {
        match self {
            Self::Observed(words) | Self::Failed(words) => words,
            Self::Held | Self::Skipped => "",
        }
    }
}

impl Report {
    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        let is_failure = |row: &&Row| matches!(row.verdict, Verdict::Failed(_));
        self.rows.iter().filter(is_failure)
    }

    /// Whether every check that ran held, nothing is left on the hub, and the run came to its end.
    pub fn is_good(&self) -> bool {
        self.failures().next().is_none() && self.left_behind.is_empty() && !self.is_stopped
    }

    /// A table, and what there is to know besides.
    pub fn text(&self) -> String {
        let mut lines = vec![self.table()];
        lines.push(format!(
            "{} held, {} seen, {} failed, {} skipped",
            self.count("ok"),
            self.count("seen"),
            self.count("FAILED"),
            self.count("skipped"),
        ));
        if self.throttled > 0 {
            lines.push(format!(
                "throttled {} times, {} of them with Retry-After",
                self.throttled, self.told_to_wait
            ));
        }
        if self.is_stopped {
            lines.push("stopped before the end".to_owned());
        }
        let left = self.left_behind.iter();
        lines.extend(left.map(|name| format!("left on the hub, delete it: {name}")));
        lines.join("\n")
    }

    fn table(&self) -> String {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["AREA", "CHECK", "SOURCE", "RESULT", ""]);
        for row in &self.rows {
            let name = row.name.replace('_', " ");
            let (word, words) = (row.verdict.word(), row.verdict.words());
            table.add_row([row.area, &name, row.source, word, words]);
        }
        table.trim_fmt()
    }

    fn count(&self, word: &str) -> usize {
        let rows = self.rows.iter();
        rows.filter(|row| row.verdict.word() == word).count()
    }
}
