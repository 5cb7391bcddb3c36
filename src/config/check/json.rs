//! Pure. What was found, for machines. `docs/configs.md` describes it; keys are added, never changed.

use serde_json::{Value, json};

use super::{Finding, Judged, Report, Verdict};
use crate::config::place::{ConfigError, Place};

/// Of the document; another number when a key goes or changes its meaning.
pub const VERSION: u32 = 1;

impl Report {
    /// The whole report as one document.
    pub fn json(&self) -> Value {
        json!({ "version": VERSION, "files": self.0.iter().map(finding).collect::<Vec<_>>() })
    }
}

fn finding(finding: &Finding) -> Value {
    let errors = match &finding.verdict {
        Verdict::Wrong(errors) => errors.as_slice(),
        _ => &[],
    };
    json!({
        "file": finding.file,
        "verdict": verdict(&finding.verdict),
        "runs": runs(&finding.verdict),
        "exit": exit(&finding.verdict),
        "fallback": finding.fallback,
        "errors": complaints(errors),
        "warnings": complaints(&finding.warnings),
        "options": finding.options.iter().map(judged).collect::<Vec<_>>(),
    })
}

fn verdict(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Emperor => "emperor",
        Verdict::Own(_) | Verdict::Uwsgi { .. } => "vassal",
        Verdict::Exits(_) => "exit",
        Verdict::Unseen(_) => "unseen",
        Verdict::Wrong(_) => "wrong",
    }
}

fn runs(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Emperor => json!({ "by": "liege" }),
        Verdict::Own(program) => json!({ "by": "liege", "program": program }),
        Verdict::Uwsgi { because, found, packages } => {
            let program = found.as_ref().map(|path| path.to_string_lossy());
            json!({ "by": "uwsgi", "because": because, "program": program, "packages": packages })
        }
        Verdict::Exits(_) | Verdict::Unseen(_) | Verdict::Wrong(_) => Value::Null,
    }
}

fn exit(verdict: &Verdict) -> Option<u8> {
    if let Verdict::Exits(status) = verdict { Some(*status) } else { None }
}

/// Errors or warnings.
pub fn complaints(errors: &[ConfigError]) -> Vec<Value> {
    errors.iter().map(complaint).collect()
}

fn complaint(error: &ConfigError) -> Value {
    let mut value = place(error.place.as_ref());
    value["text"] = json!(error.line);
    value["cause"] = json!(error.cause);
    value["cure"] = json!(error.cure);
    value
}

/// Line and column are `null` for what is said of a whole file, the file too where there is none.
pub fn place(place: Option<&Place>) -> Value {
    let inside = place.filter(|place| place.line > 0);
    json!({
        "file": place.map(|place| &*place.file),
        "line": inside.map(|place| place.line),
        "column": inside.map(|place| place.column),
    })
}

fn judged(judged: &Judged) -> Value {
    let mut value = place(Some(&judged.place));
    value["name"] = json!(judged.option.name);
    value["belongs"] = json!(judged.option.part.word);
    value["verdict"] = json!(judged.fate);
    value["reason"] = json!(judged.reason);
    value["safe"] = json!(judged.safe);
    value
}
