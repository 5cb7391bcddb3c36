//! A corpus of configs with one fault each: every one is told with its place, its line and what to do about it.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Fewer files than this are not the corpus.
const FILES_MIN: usize = 100;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")
}

/// Whatever lies in the directory: a further file needs nothing but to be there.
fn corpus() -> Vec<String> {
    let entries = directory().read_dir().unwrap().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
    let mut names: Vec<String> = files.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "README.md");
    names.sort();
    names
}

/// Status and output of `liege check`, run where the files are: their names are all that is shown of their paths.
fn check(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_liege"));
    let output = command.arg("check").args(arguments).current_dir(directory()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap())
}

fn errors(file: &str) -> Vec<Value> {
    let (code, output) = check(&["--json", file]);
    assert_eq!(code, Some(1), "{file} is not wrong: {output}");
    let report: Value = serde_json::from_str(&output).unwrap();
    report["files"][0]["errors"].as_array().unwrap().clone()
}

#[test]
fn every_fault_has_a_place_a_line_with_a_caret_and_a_cure() {
    let files = corpus();
    assert!(files.len() >= FILES_MIN, "{} files", files.len());
    let mut lacking = Vec::new();
    for file in &files {
        let errors = errors(file);
        let (_, shown) = check(&[file]);
        let caret = shown.lines().filter(|line| line.trim() == "^").count();
        let complete = |error: &Value| {
            let numbers = error["line"].is_u64() && error["column"].is_u64();
            numbers && error["file"].is_string() && error["text"].is_string() && error["cure"].is_string()
        };
        if errors.is_empty() || caret < errors.len() || !errors.iter().all(complete) {
            lacking.push(format!("{file}: {shown}"));
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

#[test]
fn no_two_files_of_the_corpus_have_the_same_fault() {
    let mut faults: BTreeMap<String, String> = BTreeMap::new();
    for file in corpus() {
        let causes: Vec<String> = errors(&file).iter().map(|error| error["cause"].to_string()).collect();
        if let Some(other) = faults.insert(causes.join("\n"), file.clone()) {
            panic!("{file} and {other}: {}", causes.join("\n"));
        }
    }
}

#[test]
fn every_fault_is_told_in_these_words() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("errors/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in corpus() {
            let (_, shown) = check(&[&file]);
            insta::assert_snapshot!(file.clone(), shown);
        }
    });
    let snapshots = directory().join("snapshots").read_dir().unwrap().count();
    assert_eq!(snapshots, corpus().len(), "a snapshot of a file that is gone");
}
