//! The cases: one shell script each. What a script needs it says in its first comment.

use std::fs;

use anyhow::{Context, Result, bail};

use crate::program;

/// Seconds that a case may take by emulation, when it says nothing.
const SECONDS: u32 = 300;

/// One script of `tests-vm/cases`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Its file without `.sh`.
    pub name: String,
    /// What PID 1 is.
    pub mode: Mode,
    /// Part of `--quick`.
    pub quick: bool,
    /// What it wants on board besides the program.
    pub extras: Vec<Extra>,
    /// It is killed after so many.
    pub seconds: u32,
}

/// What not every machine has on board.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Our package.
    Package,
    /// A parser of AppArmor profiles.
    AppArmor,
}

/// What PID 1 of the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A shell, on a root file system with busybox and nothing else.
    Plain,
    /// systemd, on Debian.
    Systemd,
}

/// All of them, by name.
///
/// # Errors
/// A script whose first comment cannot be understood.
pub fn all() -> Result<Vec<Case>> {
    let directory = program::top().join("tests-vm/cases");
    let entries = fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut cases = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".sh")) else {
            continue;
        };
        cases.push(parse(name, &fs::read_to_string(&path)?)?);
    }
    cases.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(cases)
}

/// `# vm: WORD…` in the first comment: `systemd`, `quick`, `package`, `apparmor`, `seconds=N`.
fn parse(name: &str, text: &str) -> Result<Case> {
    let mut case =
        Case { name: name.to_owned(), mode: Mode::Plain, quick: false, extras: Vec::new(), seconds: SECONDS };
    let comment = text.lines().take_while(|line| line.starts_with('#'));
    let words = comment.filter_map(|line| line.strip_prefix("# vm:")).flat_map(str::split_whitespace);
    for word in words {
        match word.split_once('=') {
            None if word == "systemd" => case.mode = Mode::Systemd,
            None if word == "quick" => case.quick = true,
            None if word == "package" => case.extras.push(Extra::Package),
            None if word == "apparmor" => case.extras.push(Extra::AppArmor),
            Some(("seconds", number)) => {
                case.seconds = number.parse().with_context(|| format!("{name}: {word}"))?;
            }
            _ => bail!("{name}: `{word}` is none of systemd, quick, package, apparmor, seconds=N"),
        }
    }
    Ok(case)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_says_what_it_needs() {
        let case = parse(
            "a",
            "#!/bin/sh\n# Text.\n# vm: systemd quick package apparmor seconds=7\nset -u\n# vm: wrong\n",
        );
        let extras = vec![Extra::Package, Extra::AppArmor];
        let wanted = Case { name: "a".into(), mode: Mode::Systemd, quick: true, extras, seconds: 7 };
        assert_eq!(case.ok(), Some(wanted));
        assert!(parse("a", "# vm: often\n").is_err());
    }
}
