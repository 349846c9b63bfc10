//! `tim explain`: the catalogue of causes, offline.

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{OutputFormat, write_document};
use crate::table::{Align, Table, WIDTH_MAX, wrap};
use crate::terminal::{Colour, Painted, Terminal};
use schemars::JsonSchema;
use serde::Serialize;
use tim_catalogue::wire::WireCode;
use tim_catalogue::{Cause, Severity, command_line};

/// What programs get.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExplainDocument {
    /// Version of this form.
    pub schema_version: u32,
    /// The codes asked for, or all.
    pub codes: Vec<Explanation>,
}

/// One code.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The code.
    pub code: String,
    /// Its name in telemetry, or in the protocol.
    pub name: String,
    /// What has happened.
    pub what: String,
    /// How it comes about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What it means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<String>,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Whether it heals by itself once its reason is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retried: Option<bool>,
}

impl From<&Cause> for Explanation {
    fn from(cause: &Cause) -> Self {
        Self {
            code: cause.code.into(),
            name: cause.name.into(),
            what: cause.what.into(),
            why: Some(cause.why.into()),
            meaning: Some(cause.meaning.into()),
            remedy: Some(cause.remedy.into()),
            retried: Some(cause.severity == Severity::Retried),
        }
    }
}

impl From<&WireCode> for Explanation {
    fn from(code: &WireCode) -> Self {
        Self {
            code: code.code.to_string(),
            name: code.name.into(),
            what: code.meaning.into(),
            why: None,
            meaning: None,
            remedy: None,
            retried: None,
        }
    }
}

/// Explains one code, or lists all.
///
/// # Errors
/// A code that nobody knows (`TIM-L105`).
pub fn run(terminal: &Terminal, format: OutputFormat, code: Option<&str>) -> Outcome {
    let codes = match code {
        Some(code) => vec![find(code)?],
        None => tim_catalogue::all()
            .map(Explanation::from)
            .chain(tim_catalogue::wire::ALL.iter().map(Explanation::from))
            .collect(),
    };
    match format {
        OutputFormat::Json | OutputFormat::Yaml => {
            write_document(
                terminal,
                format,
                &ExplainDocument {
                    schema_version: 1,
                    codes,
                },
            )?;
        }
        OutputFormat::Name => codes.iter().for_each(|code| terminal.result(&code.code)),
        OutputFormat::Table | OutputFormat::Wide => match (code, codes.first()) {
            (Some(_), Some(explanation)) => show(terminal, explanation),
            _ => list(terminal, &codes),
        },
    }
    Ok(Exit::Done)
}

fn find(code: &str) -> Outcome<Explanation> {
    if let Some(cause) = tim_catalogue::find(code) {
        return Ok(cause.into());
    }
    if let Some(known) = code.trim().parse().ok().and_then(tim_catalogue::wire::explain) {
        return Ok(known.into());
    }
    let wanted = code.trim().to_ascii_uppercase();
    let nearest = tim_catalogue::all()
        .map(|cause| cause.code)
        .max_by(|left, right| {
            strsim::jaro_winkler(left, &wanted).total_cmp(&strsim::jaro_winkler(right, &wanted))
        });
    let hint = nearest.map_or_else(String::new, |nearest| format!("; did you mean {nearest}?"));
    Err(Failure::new(
        &command_line::UNKNOWN_CODE,
        format!("\"{code}\" is not a known code{hint}"),
    ))
}

fn show(terminal: &Terminal, explanation: &Explanation) {
    const LABEL: usize = 9;
    let title = format!("{}  {}", explanation.code, explanation.name);
    terminal.result(Painted::new(title, Colour::Strong).to_string());
    let healing = explanation.retried.map(|retried| {
        if retried {
            "It is retried and heals when its reason is gone."
        } else {
            "It stays until something is changed."
        }
    });
    let parts = [
        ("what", Some(explanation.what.as_str())),
        ("why", explanation.why.as_deref()),
        ("means", explanation.meaning.as_deref()),
        ("waiting", healing),
        ("try", explanation.remedy.as_deref()),
    ];
    for (label, text) in parts {
        for (index, line) in wrap(text.unwrap_or_default(), WIDTH_MAX - LABEL - 2)
            .iter()
            .enumerate()
        {
            let label = if index == 0 { label } else { "" };
            terminal.result(format!("  {label:LABEL$}{line}"));
        }
    }
}

fn list(terminal: &Terminal, codes: &[Explanation]) {
    let mut table = Table::new(&[("CODE", Align::Left), ("WHAT", Align::Left)]);
    for explanation in codes {
        table.row([explanation.code.clone(), explanation.what.clone()]);
    }
    table.lines().iter().for_each(|line| terminal.result(line));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_catalogue_and_of_the_wire_is_explained() {
        for cause in tim_catalogue::all() {
            assert_eq!(find(cause.code).unwrap().what, cause.what);
        }
        assert_eq!(find("4104").unwrap().name, "PARAMS");
        assert_eq!(find("s103").unwrap().code, "TIM-S103");
    }

    #[test]
    fn an_unknown_code_gets_the_nearest() {
        let failure = find("TIM-S13").unwrap_err();
        assert_eq!(failure.code(), "TIM-L105");
        assert!(failure.to_string().contains("did you mean TIM-S1"), "{failure}");
    }
}
