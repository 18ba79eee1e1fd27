//! What a person sees while long work goes on: a moving line on a terminal, plain lines otherwise.
//!
//! With JSON nothing is shown: the result says how it went.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::Output;

const TICK: Duration = Duration::from_millis(120);

/// Progress of one piece of work.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: Shown,
    last: String,
}

#[derive(Debug)]
enum Shown {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    pub(super) fn start(output: Output) -> Self {
        let shown = if output.is_json() {
            Shown::Nothing
        } else if std::io::stderr().is_terminal() {
            Shown::Bar(bar())
        } else {
            Shown::Lines
        };
        Self {
            shown,
            last: String::new(),
        }
    }

    /// Says what is going on; the same words are said once.
    pub(crate) fn step(&mut self, text: impl Into<String>) {
        let text = text.into();
        if text == self.last {
            return;
        }
        match &self.shown {
            Shown::Bar(bar) => bar.set_message(text.clone()),
            Shown::Lines => eprintln!("{text}"),
            Shown::Nothing => {}
        }
        self.last = text;
    }

    /// Leaves a line behind: something is done.
    pub(crate) fn note(&self, text: &str) {
        match &self.shown {
            Shown::Bar(bar) => bar.println(text),
            Shown::Lines => eprintln!("{text}"),
            Shown::Nothing => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
