//! `cargo xtask fuzz`: feeds the parsers that read what tenants write, for a bounded time.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{program, tool};

/// Raised by hand, so that a release of cargo-fuzz never breaks a build of ours.
const VERSION: &str = "0.13.2";
/// Seconds for each target, when nothing else is asked for.
const SECONDS: &str = "300";
/// The same, to see that it runs and that nothing is found at once.
const SECONDS_QUICK: &str = "20";
/// No input may cost more memory (MiB) or time (s) than this.
const LIMITS: [&str; 3] = ["-rss_limit_mb=768", "-timeout=20", "-max_len=16384"];
/// What the fuzzer has to work with: real configs.
const SEEDS: [&str; 2] = ["tests/corpus", "examples"];

/// Runs every target; false when one found something.
///
/// # Errors
/// A word that is none, or cargo-fuzz cannot be had.
pub fn run(words: &[&str]) -> Result<bool> {
    let seconds = match words {
        [] => SECONDS,
        ["--quick"] => SECONDS_QUICK,
        [seconds] if seconds.parse::<u32>().is_ok() => seconds,
        _ => bail!("cargo xtask fuzz [SECONDS|--quick]"),
    };
    let fuzz = tool::find_or_install("cargo-fuzz", VERSION)?;
    for target in targets()? {
        run_one(&fuzz, &target, seconds)?;
    }
    Ok(true)
}

fn targets() -> Result<Vec<String>> {
    let directory = program::top().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(&directory)?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Without a sanitizer: our parsers have no unsafe code, and so any toolchain will do.
fn run_one(fuzz: &Path, target: &str, seconds: &str) -> Result<()> {
    let corpus = program::top().join("target/fuzz-corpus").join(target);
    sow(&corpus)?;
    let mut command = Command::new(fuzz);
    command.current_dir(program::top().join("fuzz"));
    command.args(["run", "--sanitizer", "none", "--target-dir", "../target/fuzz", target]).arg(&corpus);
    command.arg("--").arg(format!("-max_total_time={seconds}")).args(LIMITS);
    program::run(&mut command).with_context(|| format!("the fuzzer found something in {target}"))
}

/// Each seed in front of which its format stands.
fn sow(corpus: &Path) -> Result<()> {
    fs::create_dir_all(corpus)?;
    let mut stack: Vec<PathBuf> = SEEDS.iter().map(|seeds| program::top().join(seeds)).collect();
    while let Some(path) = stack.pop() {
        if let Ok(entries) = fs::read_dir(&path) {
            stack.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if let (Some(format), Ok(text)) = (format_of(&path), fs::read(&path)) {
            let name = path.strip_prefix(program::top())?.display().to_string().replace('/', "-");
            fs::write(corpus.join(name), [&[format], text.as_slice()].concat())?;
        }
    }
    Ok(())
}

fn format_of(path: &Path) -> Option<u8> {
    match path.extension()?.to_str()? {
        "ini" | "skel" => Some(0),
        "xml" => Some(1),
        "yml" | "yaml" => Some(2),
        "json" | "js" => Some(3),
        "toml" => Some(4),
        _ => None,
    }
}
