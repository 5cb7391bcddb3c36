//! Pure. What was found, for people.

use std::fmt;

use super::{Finding, Judged, Report, Unseen, Verdict};
use crate::config::place::{ConfigError, Place};
use crate::config::show::printable;
use crate::options::Fate;

/// Columns of a line of names.
const WIDTH: usize = 96;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => writeln!(f, "no config found"),
            false => self.0.iter().try_for_each(|finding| write!(f, "{finding}")),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_verdict(f)?;
        if let Some(fallback) = &self.fallback {
            writeln!(f, "  if it is of no use, this one is used: {}", printable(fallback))?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))?;
        let notable = self.options.iter().filter(|judged| judged.fate != Fate::Same);
        notable.clone().try_for_each(|judged| self.write_judged(f, judged))?;
        self.write_same(f)
    }
}

impl Unseen {
    fn sentence(self) -> &'static str {
        match self {
            Self::Program => {
                "a program: where the Emperor has emperor-magic-exec, what it prints is the config\n  \
                 nothing is run here; as the user that it belongs to: ./PROGRAM > printed.ini, and check that"
            }
            Self::Scheme => {
                "what it stands for is read by the process that the config is for\n  \
                 nothing is run or fetched here; put what it gives into a file, and check that"
            }
        }
    }
}

impl Finding {
    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = printable(&self.file);
        match &self.verdict {
            Verdict::Emperor => writeln!(f, "{file}: OK, an Emperor"),
            Verdict::Own(Some(program)) => {
                writeln!(f, "{file}: OK, a vassal run by liege: {}", printable(program))
            }
            Verdict::Own(None) => writeln!(f, "{file}: OK, a vassal run by liege, without a program"),
            Verdict::Uwsgi { because, found, packages } => {
                let which = found.as_ref().map_or_else(
                    || format!("which is not here: apt install {packages}"),
                    |path| path.display().to_string(),
                );
                writeln!(
                    f,
                    "{file}: OK, a vassal run by uwsgi ({which}), because of `{}`",
                    printable(because)
                )
            }
            Verdict::Exits(status) => writeln!(f, "{file}: OK, exits with status {status}: nothing runs"),
            Verdict::Unseen(why) => writeln!(f, "{file}: NOT CHECKED, {}", why.sentence()),
            Verdict::Wrong(errors) => errors.iter().try_for_each(|error| write_error(f, &file, error)),
        }
    }

    /// `changed  uid:3:1  what is different`.
    fn write_judged(&self, f: &mut fmt::Formatter<'_>, judged: &Judged) -> fmt::Result {
        let name = format!("{}:{}", judged.option.name, self.short(&judged.place));
        writeln!(f, "  {:8} {name:28} {}", judged.fate, judged.reason)?;
        judged.safe.map_or(Ok(()), |safe| writeln!(f, "  {:8} {:28} safe: {safe}", "", ""))
    }

    /// The place without the file that is being checked.
    fn short(&self, place: &Place) -> String {
        match *place.file == *self.file {
            true => format!("{}:{}", place.line, place.column),
            false => place.to_string(),
        }
    }

    fn write_same(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names: Vec<&str> = Vec::new();
        for judged in self.options.iter().filter(|judged| judged.fate == Fate::Same) {
            if !names.contains(&judged.option.name) {
                names.push(judged.option.name);
            }
        }
        for (number, line) in lines(&names).iter().enumerate() {
            writeln!(f, "  {:8} {line}", if number == 0 { "same" } else { "" })?;
        }
        Ok(())
    }
}

/// Names with commas, as many on a line as fit.
fn lines(names: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let comma = if number + 1 == names.len() { "" } else { "," };
        match lines.last_mut().filter(|line| line.len() + name.len() < WIDTH) {
            Some(line) => line.push_str(&format!(" {name}{comma}")),
            None => lines.push(format!("{name}{comma}")),
        }
    }
    lines
}

/// An error that has no place is about the file.
fn write_error(f: &mut fmt::Formatter<'_>, file: &str, error: &ConfigError) -> fmt::Result {
    let about = if error.place.is_none() { format!("{file}: ") } else { String::new() };
    writeln!(f, "error: {about}{error}")
}
