//! A config in any format, with the files that it may include: read, expanded, typed, and its errors shown.

#![no_main]

use libfuzzer_sys::fuzz_target;
use liege_fuzz::Bytes;
use liege_fuzz::config::check::check;

fuzz_target!(|bytes: &[u8]| {
    let Some((format, text)) = bytes.split_first() else { return };
    let suffix = ["ini", "xml", "yaml", "json", "toml"][usize::from(*format) % 5];
    let report = check(&[format!("0.{suffix}")], &Bytes::new(text), &|_: &str| None);
    // Whatever was wrong can be said, to people and to machines.
    let _ = (report.to_string(), report.json().to_string());
});
