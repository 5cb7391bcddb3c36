//! The attacks of `docs/attacks.md`, row by row: which tests try each, and whether they held.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::program;

/// Where tests are, as Rust and as cases for a virtual machine.
const PLACES: [&str; 5] = ["tests", "jail", "src", "routers", "tests-vm"];
/// Folders within a folder that are looked into.
const DEPTH_MAX: usize = 8;
/// How a row says that there is nothing to try.
const EXEMPT: &str = "n.a.: ";

/// One attack.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    id: String,
    title: String,
    /// Why there is nothing to try.
    exempt: Option<String>,
}

/// Who tries an attack.
#[derive(Debug, Default)]
struct Tries {
    tests: BTreeSet<String>,
    /// Cases of `cargo xtask vm`.
    machines: BTreeSet<String>,
}

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It could not be tried here, and said why.
    Skipped,
    /// It passed.
    Held,
    /// It did not.
    Failed,
}

/// Prints what became of each row.
///
/// # Errors
/// A row did not hold, or nobody tried it.
pub fn report(results: &BTreeMap<String, Verdict>) -> Result<()> {
    let (rows, tries) = plan()?;
    let unknown: Vec<&String> = tries.keys().filter(|id| !rows.iter().any(|row| row.id == **id)).collect();
    let mut wrong: Vec<String> =
        unknown.iter().map(|id| format!("{id} is no row of docs/attacks.md")).collect();
    println!("\nattacks, row by row:");
    let none = Tries::default();
    for row in &rows {
        match judge(row, tries.get(&row.id).unwrap_or(&none), results) {
            Ok(verdict) => println!("  {:<4} {verdict:<24} {}", row.id, row.title),
            Err(cause) => {
                println!("  {:<4} {cause:<24} {}", row.id, row.title);
                wrong.push(format!("{}: {cause}", row.id));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { bail!("{}", wrong.join("; ")) }
}

/// Prints what became of the rows that these cases of `cargo xtask vm` try.
///
/// # Errors
/// The repository cannot be read.
pub fn report_cases(results: &BTreeMap<String, Verdict>) -> Result<()> {
    let (rows, tries) = plan()?;
    println!("\nattacks, row by row:");
    for row in &rows {
        let cases = tries.get(&row.id).map(|tries| &tries.machines);
        if let Some(verdict) = cases.and_then(|cases| sentence(cases, results)) {
            println!("  {:<4} {verdict:<24} {}", row.id, row.title);
        }
    }
    Ok(())
}

/// The rows, and who tries them.
fn plan() -> Result<(Vec<Row>, BTreeMap<String, Tries>)> {
    let top = program::top();
    let page = std::fs::read_to_string(top.join("docs/attacks.md")).context("docs/attacks.md")?;
    let mut tries = BTreeMap::new();
    for place in PLACES {
        collect(&top.join(place), DEPTH_MAX, &mut tries)?;
    }
    Ok((listed(&page), tries))
}

fn judge(row: &Row, tries: &Tries, results: &BTreeMap<String, Verdict>) -> Result<String, String> {
    let mut verdict = match (sentence(&tries.tests, results), &row.exempt) {
        (Some(failed), _) if failed.starts_with("FAILED") => return Err(failed),
        (Some(verdict), _) => verdict,
        (None, Some(reason)) => format!("not applicable: {reason}"),
        (None, None) if tries.machines.is_empty() => return Err("NOT TRIED".into()),
        (None, None) => String::new(),
    };
    if !tries.machines.is_empty() {
        let comma = if verdict.is_empty() { "" } else { "; " };
        let cases: Vec<&str> = tries.machines.iter().map(String::as_str).collect();
        let _ = write!(verdict, "{comma}cargo xtask vm {}", cases.join(" "));
    }
    Ok(verdict)
}

/// What became of these tests or cases together; nothing where none of them was run.
fn sentence(tests: &BTreeSet<String>, results: &BTreeMap<String, Verdict>) -> Option<String> {
    let which = |wanted| -> Vec<&str> {
        tests.iter().filter(|test| results.get(*test) == Some(&wanted)).map(String::as_str).collect()
    };
    let (failed, held, skipped) = (which(Verdict::Failed), which(Verdict::Held), which(Verdict::Skipped));
    match (held.len(), failed.as_slice(), skipped.as_slice()) {
        (0, [], []) => None,
        (0, [], skipped) => Some(format!("not tried here: {}", skipped.join(", "))),
        (1, [], _) => Some("held, 1 test".into()),
        (held, [], _) => Some(format!("held, {held} tests")),
        (_, failed, _) => Some(format!("FAILED: {}", failed.join(", "))),
    }
}

/// The rows of the page's tables.
fn listed(page: &str) -> Vec<Row> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| "));
    cells
        .filter_map(|line| {
            let mut cells = line.trim_end_matches([' ', '|']).split(" | ");
            let id = cells.next().filter(|id| is_row(id))?;
            let title = cells.next()?.trim();
            let exempt = cells.next().and_then(|cell| cell.trim().strip_prefix(EXEMPT)).map(str::to_owned);
            Some(Row { id: id.into(), title: title.into(), exempt })
        })
        .collect()
}

fn collect(place: &Path, depth: usize, tries: &mut BTreeMap<String, Tries>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(place) else { return Ok(()) };
    for path in entries.flatten().map(|entry| entry.path()) {
        let suffix = path.extension().and_then(|suffix| suffix.to_str());
        match suffix {
            None if path.is_dir() && depth > 0 => collect(&path, depth - 1, tries)?,
            Some("rs") => {
                for (test, rows) in tests_of(&std::fs::read_to_string(&path)?) {
                    rows.into_iter().for_each(|row| {
                        tries.entry(row).or_default().tests.insert(test.clone());
                    });
                }
            }
            Some("sh") => {
                let text = std::fs::read_to_string(&path)?;
                let case = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                text.lines().filter(|line| line.trim_start().starts_with('#')).flat_map(named).for_each(
                    |row| {
                        tries.entry(row).or_default().machines.insert(case.clone());
                    },
                );
            }
            _ => (),
        }
    }
    Ok(())
}

/// Tests of a file that try something, by what stands above them; where that is nothing, by the one row that the
/// file's first lines name.
fn tests_of(source: &str) -> Vec<(String, Vec<String>)> {
    let of_file: BTreeSet<String> =
        source.lines().take_while(|line| line.starts_with("//!")).flat_map(named).collect();
    let of_file: Vec<String> = of_file.into_iter().collect();
    let (mut rows, mut is_test, mut tests) = (Vec::new(), false, Vec::new());
    for line in source.lines().map(str::trim_start) {
        match line {
            _ if line.starts_with("///") => rows.extend(named(line)),
            _ if line.starts_with("#[test]") => is_test = true,
            _ if line.starts_with("#[") => (),
            _ => {
                let function = line.strip_prefix("pub ").unwrap_or(line).strip_prefix("fn ");
                if let Some(name) = function.and_then(|rest| rest.split('(').next()) {
                    let alone = is_test && rows.is_empty() && of_file.len() == 1;
                    let rows = if alone { of_file.clone() } else { std::mem::take(&mut rows) };
                    tests.push((name.to_owned(), rows));
                }
                rows.clear();
                is_test = false;
            }
        }
    }
    tests.retain(|(_, rows)| !rows.is_empty());
    tests
}

/// Rows that a comment names: `Row I6`, `Rows P3, P6 and P8`, `Rows I1 to I4`.
fn named(comment: &str) -> Vec<String> {
    let spellings = ["Row ", "Rows ", "row ", "rows "];
    let Some((_, rest)) = spellings.iter().find_map(|word| comment.split_once(word)) else {
        return Vec::new();
    };
    let mut rows: Vec<String> = Vec::new();
    let mut up_to = false;
    for word in rest.split_whitespace() {
        let id = word.trim_end_matches(['.', ',', ':', ';', ')']);
        match id {
            "and" => continue,
            "to" => (),
            _ if !is_row(id) => break,
            _ if up_to => rows.extend(between(rows.last().cloned(), id)),
            _ => rows.push(id.into()),
        }
        up_to = id == "to";
        if word.ends_with(['.', ':', ';', ')']) {
            break;
        }
    }
    rows
}

/// What follows `first` up to `last`.
fn between(first: Option<String>, last: &str) -> Vec<String> {
    let number = |id: &str| id[1..].parse::<u32>().unwrap_or(0);
    let from = first.map_or(0, |first| number(&first));
    (from + 1..=number(last)).map(|at| format!("{}{at}", &last[..1])).collect()
}

fn is_row(id: &str) -> bool {
    let digits = id.strip_prefix(|letter: char| letter.is_ascii_uppercase()).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit())
}

/// Name and verdict of a line of libtest; none for an ignored test.
pub fn result(line: &str) -> Option<(String, Verdict)> {
    let (name, verdict) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    match verdict {
        "ok" => Some((last(name), Verdict::Held)),
        "FAILED" => Some((last(name), Verdict::Failed)),
        _ => None,
    }
}

/// The name of the test above whose output libtest writes this line.
pub fn heading(line: &str) -> Option<String> {
    line.strip_prefix("---- ")?.strip_suffix(" stdout ----").map(last)
}

/// The last part of a path of Rust.
fn last(name: &str) -> String {
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(rows: &[&str]) -> Vec<String> {
        rows.iter().map(|row| (*row).to_owned()).collect()
    }

    #[test]
    fn a_comment_names_one_row_several_or_a_stretch_of_them() {
        for (comment, rows) in [
            ("/// Row I6: and so on, not Row I7", vec!["I6"]),
            ("/// Row I6, a pattern", vec!["I6"]),
            ("//! Rows P3, P6, P8 and P9.", vec!["P3", "P6", "P8", "P9"]),
            ("//! Rows I1 to I4, I6 and I7.", vec!["I1", "I2", "I3", "I4", "I6", "I7"]),
            ("# A bomb (row G1).", vec!["G1"]),
            ("# What limits do (rows G1, G2 and G4 of the attacks).", vec!["G1", "G2", "G4"]),
            ("/// Rows of a table", vec![]),
            ("/// nothing", vec![]),
        ] {
            assert_eq!(named(comment), words(&rows), "{comment}");
        }
    }

    #[test]
    fn a_test_belongs_to_the_rows_above_it_else_to_those_of_its_file() {
        let source = "//! Row C8.\n/// Row I1.\n#[test]\nfn one() {\n}\n#[test]\n#[serial]\nfn two() {}\nfn three() {}\n";
        assert_eq!(tests_of(source), [("one".into(), words(&["I1"])), ("two".into(), words(&["C8"]))]);
        let source = "//! Rows C8 and C9.\n#[test]\nfn one() {}\n";
        assert_eq!(tests_of(source), []);
    }

    #[test]
    fn a_row_fails_with_one_of_its_tests_and_is_not_held_by_none() {
        let page =
            "| row | what |\n|---|---|\n| I1 | a link | refused |\n| L1 | a replay | n.a.: no cluster |\n";
        let rows = listed(page);
        assert_eq!(rows.len(), 2);
        let tries = Tries { tests: ["a".to_owned(), "b".to_owned()].into(), ..Tries::default() };
        let results = |b| BTreeMap::from([("a".to_owned(), Verdict::Held), ("b".to_owned(), b)]);
        let held = results(Verdict::Held);
        assert_eq!(judge(&rows[0], &tries, &held), Ok("held, 2 tests".into()));
        assert_eq!(judge(&rows[0], &tries, &results(Verdict::Failed)), Err("FAILED: b".into()));
        assert_eq!(judge(&rows[0], &tries, &results(Verdict::Skipped)), Ok("held, 1 test".into()));
        assert_eq!(judge(&rows[0], &Tries::default(), &held), Err("NOT TRIED".into()));
        assert_eq!(judge(&rows[1], &Tries::default(), &held), Ok("not applicable: no cluster".into()));
        let machine = Tries { machines: ["g".to_owned()].into(), ..Tries::default() };
        assert_eq!(judge(&rows[0], &machine, &held), Ok("cargo xtask vm g".into()));
    }

    #[test]
    fn a_row_whose_only_test_was_skipped_is_not_held() {
        let alone = ["a".to_owned()].into();
        let skipped = BTreeMap::from([("a".to_owned(), Verdict::Skipped)]);
        assert_eq!(sentence(&alone, &skipped), Some("not tried here: a".into()));
        assert_eq!(sentence(&alone, &BTreeMap::new()), None);
    }

    #[test]
    fn a_line_of_libtest_is_a_name_and_a_verdict() {
        assert_eq!(result("test a::b ... ok"), Some(("b".into(), Verdict::Held)));
        assert_eq!(result("test b ... FAILED"), Some(("b".into(), Verdict::Failed)));
        assert_eq!(heading("---- a::b stdout ----"), Some("b".into()));
        assert_eq!(result("test b ... ignored"), None);
        assert_eq!(result("test result: ok. 3 passed"), None);
    }
}
