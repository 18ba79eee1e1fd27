//! An error as it is printed: message, stable reason, every violation, when to try again, and what
//! to do next.

use std::fmt::Write as _;

use serde::Serialize;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::hint;
use crate::args::OutputFormat;
use crate::exit::{CliError, Repeat};

/// An error, ready to print.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    reason: String,
    message: String,
    violations: Vec<Violation>,
    retry_after_s: Option<f64>,
    hint: Option<&'static str>,
    /// The id to repeat the request with, when it may have had its effect.
    request_id: Option<String>,
    /// What the command line needs besides to make the same request again.
    repeat_options: Vec<String>,
}

/// A field that is wrong.
#[derive(Debug, Serialize)]
struct Violation {
    field: String,
    problem: String,
}

impl Problem {
    /// What there is to say about an error.
    pub(crate) fn of(error: &CliError) -> Self {
        let reason = error.reason();
        let mut problem = Self {
            hint: hint::of(&reason),
            reason,
            message: error.to_string(),
            violations: Vec::new(),
            retry_after_s: None,
            request_id: None,
            repeat_options: Vec::new(),
        };
        match error {
            CliError::Refused { status, repeat } => problem.add_details(status, repeat),
            CliError::Unreachable { repeat, .. } => problem.may_be_repeated(repeat),
            CliError::Output(source) => problem.message = format!("{error}: {source}"),
            CliError::Usage(_) | CliError::Missing { .. } | CliError::EndedBadly { .. } => {}
        }
        problem
    }

    fn may_be_repeated(&mut self, repeat: &Repeat) {
        self.request_id = Some(repeat.request_id.clone());
        self.repeat_options.clone_from(&repeat.options);
    }

    fn add_details(&mut self, status: &tonic::Status, repeat: &Repeat) {
        let fields = status
            .get_details_bad_request()
            .map(|found| found.field_violations);
        self.violations = fields
            .unwrap_or_default()
            .into_iter()
            .map(|found| Violation {
                field: found.field,
                problem: found.description,
            })
            .collect();
        let retry = status
            .get_details_retry_info()
            .and_then(|found| found.retry_delay);
        self.retry_after_s = retry.map(|delay| delay.as_secs_f64());
        if matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded) {
            self.may_be_repeated(repeat);
        }
    }

    /// The text for standard error, without a line break at its end.
    pub(crate) fn render(&self, format: OutputFormat) -> String {
        match format {
            OutputFormat::Table => self.human(),
            // A struct of texts and numbers always serializes; the text is for the impossible.
            OutputFormat::Json => serde_json::to_string(self).unwrap_or_else(|_| self.human()),
        }
    }

    fn human(&self) -> String {
        let message = if self.violations.is_empty() {
            &self.message
        } else {
            "the request is invalid"
        };
        let mut text = format!("error: {message} ({})", self.reason);
        for violation in &self.violations {
            let _ = write!(text, "\n  {}: {}", violation.field, violation.problem);
        }
        if let Some(after) = self.retry_after_s {
            let _ = write!(text, "\nretry in {after} s");
        }
        if let Some(hint) = self.hint {
            let _ = write!(text, "\nhint: {hint}");
        }
        if let Some(id) = &self.request_id {
            let mut options = vec![format!("--request-id {id}")];
            options.extend_from_slice(&self.repeat_options);
            let options = options.join(" ");
            let _ = write!(text, "\nto repeat it without a second effect: {options}");
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hubshift_api::fault;
    use serde_json::{Value, json};

    use super::*;

    fn refused(status: tonic::Status) -> CliError {
        CliError::Refused {
            status,
            repeat: Repeat {
                request_id: "r-1".into(),
                options: Vec::new(),
            },
        }
    }

    #[test]
    fn every_violation_has_a_line() {
        let fields = [("fleet_id", "is required"), ("hubs", "needs two or more")];
        let fields = fields.map(|(field, problem)| (field.to_owned(), problem.to_owned()));
        let problem = Problem::of(&refused(fault::invalid(fields.into())));
        let text = problem.render(OutputFormat::Table);
        assert_eq!(
            text,
            "error: the request is invalid (INVALID_REQUEST)\n  fleet_id: is required\n  \
             hubs: needs two or more"
        );
    }

    #[test]
    fn json_says_the_same_as_the_text() {
        let after = Duration::from_millis(2500);
        let status = fault::retry(Code::Unavailable, "OUTCOME_UNKNOWN", "not known yet", after);
        let problem = Problem::of(&refused(status));
        let json: Value = serde_json::from_str(&problem.render(OutputFormat::Json)).unwrap();
        assert_eq!(json["reason"], "OUTCOME_UNKNOWN");
        assert_eq!(json["message"], "not known yet");
        assert_eq!(json["violations"], json!([]));
        assert_eq!(json["retry_after_s"], json!(2.5));
        assert_eq!(json["request_id"], "r-1");
        let text = problem.render(OutputFormat::Table);
        assert!(text.contains("retry in 2.5 s"), "{text}");
        assert!(text.contains("--request-id r-1"), "{text}");
        let status = fault::retry(Code::Unavailable, "OUTCOME_UNKNOWN", "not known yet", after);
        let error = refused(status).repeat_with(vec!["--etag E".into()]);
        let text = Problem::of(&error).render(OutputFormat::Table);
        assert!(text.ends_with("--request-id r-1 --etag E"), "{text}");
    }

    #[test]
    fn a_request_that_certainly_had_no_effect_is_not_to_be_repeated() {
        let status = fault::status(Code::NotFound, "FLEET_NOT_FOUND", "there is no fleet acme");
        let text = Problem::of(&refused(status)).render(OutputFormat::Table);
        assert!(
            text.starts_with("error: there is no fleet acme (FLEET_NOT_FOUND)\nhint: "),
            "{text}"
        );
        assert!(!text.contains("--request-id"), "{text}");
    }
}
