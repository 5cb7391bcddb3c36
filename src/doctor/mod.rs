//! `liege doctor`: what this host lacks, and what mends it.

mod judge;
mod look;

use std::fmt;

use serde_json::{Value, json};

use judge::{Finding, State};

/// All findings about this host.
#[derive(Debug)]
pub struct Report(Vec<Finding>);

/// Looks at this host and judges it.
pub fn examine() -> Report {
    Report(judge::judge(&look::look()))
}

impl Report {
    /// True when nothing is missing.
    pub fn is_fine(&self) -> bool {
        self.0.iter().all(|one| one.state != State::Missing)
    }

    /// For machines.
    pub fn json(&self) -> Value {
        let check = |one: &Finding| json!({ "name": one.name, "state": one.state.word(), "found": one.found, "cure": one.cure });
        json!({ "ok": self.is_fine(), "checks": self.0.iter().map(check).collect::<Vec<Value>>() })
    }
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Optional => "optional",
            Self::Missing => "missing",
        }
    }
}

/// One line for each finding.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|one| one.name.len()).max().unwrap_or(0);
        for one in &self.0 {
            write!(f, "{:<9} {:<width$}  {}", one.state.word(), one.name, one.found)?;
            one.cure.as_ref().map_or(Ok(()), |cure| write!(f, ": {cure}"))?;
            writeln!(f)?;
        }
        Ok(())
    }
}
