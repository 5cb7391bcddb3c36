//! One boot, watched: what it prints, how long it takes, and its end.

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::program;

use super::cases::Case;
use super::interrupt::Interrupt;
use super::machine::Plan;
use super::report::{End, Report};
use super::store;

/// For the kernel and PID 1, by emulation on a machine with other work.
const BOOT: Duration = Duration::from_secs(300);
/// How often the progress line moves.
const TICK: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
/// Bytes kept of what one boot prints.
const OUTPUT_MAX: usize = 16 << 20;
/// Lines of the console that are shown when a machine ends too early.
const CONSOLE_LINES_MAX: usize = 30;
/// Before the name of a case, in what the machine prints.
const MARK: &str = "== ";

/// Runs the machine to its end and counts its cases.
///
/// # Errors
/// It cannot be started, or somebody interrupts us.
pub fn run(
    command: &mut Command,
    plan: &Plan<'_>,
    cases: &[Case],
    (interrupt, report): (&Interrupt, &mut Report),
) -> Result<()> {
    let mut machine = Machine::start(command, cases)?;
    let printed =
        machine.watch(interrupt, |line| report.progress(&format!("Linux {} {line}", plan.kernel.name)))?;
    let told = fs::read_to_string(plan.status()).unwrap_or_default();
    let states = states(&told);
    let said = by_case(&printed);
    for case in cases {
        let lines = said.get(case.name.as_str()).cloned().unwrap_or_default();
        let name = format!("{} on {}", case.name, plan.kernel.name);
        report.case(&name, states.get(case.name.as_str()).copied(), &lines);
    }
    if states.len() < cases.len() {
        tell_console(&plan.console());
    }
    keep(&plan.files())
}

/// A running QEMU; it ends when this goes out of scope.
struct Machine {
    child: Child,
    began: Instant,
    limit: Duration,
    cases: usize,
}

impl Machine {
    fn start(command: &mut Command, cases: &[Case]) -> Result<Self> {
        let child = command.spawn().context("cannot run setpriv and QEMU")?;
        let seconds: u32 = cases.iter().map(|case| case.seconds).sum();
        let limit = BOOT + Duration::from_secs(seconds.into());
        Ok(Self { child, began: Instant::now(), limit, cases: cases.len() })
    }

    /// What it prints until it ends or its time is up.
    fn watch(&mut self, interrupt: &Interrupt, progress: impl Fn(&str)) -> Result<String> {
        let mut output = self.child.stdout.take().context("QEMU has no output")?;
        let mut bytes = Vec::new();
        let mut chunk = [0; 1 << 16];
        loop {
            let mut ready = [
                PollFd::new(&output, PollFlags::IN),
                PollFd::from_borrowed_fd(interrupt.as_fd(), PollFlags::IN),
            ];
            poll(&mut ready, Some(&TICK))?;
            let [printed, interrupted] = ready.map(|one| !one.revents().is_empty());
            if interrupted {
                progress("");
                bail!("interrupted");
            }
            if printed {
                match output.read(&mut chunk)? {
                    0 => break,
                    count if bytes.len() < OUTPUT_MAX => bytes.extend(&chunk[..count]),
                    _ => {}
                }
            }
            progress(&self.line(&bytes));
            if self.began.elapsed() > self.limit {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn line(&self, printed: &[u8]) -> String {
        let text = String::from_utf8_lossy(printed);
        let begun: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(MARK)).collect();
        let now = begun.last().copied().unwrap_or("boots");
        format!("[{}/{}] {now}, {} s", begun.len(), self.cases, self.began.elapsed().as_secs())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Ended already, mostly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How each case ended that did.
fn states(text: &str) -> HashMap<&str, End> {
    text.lines().filter_map(ended).collect()
}

fn ended(line: &str) -> Option<(&str, End)> {
    let mut words = line.strip_prefix("end ")?.split(' ');
    let name = words.next()?;
    Some((name, End { status: words.next()?.parse().ok()?, seconds: words.next()?.parse().ok()? }))
}

fn by_case(printed: &str) -> HashMap<&str, Vec<String>> {
    let mut said: HashMap<&str, Vec<String>> = HashMap::new();
    let mut current = "";
    for line in printed.lines() {
        match line.strip_prefix(MARK) {
            Some(name) => current = name,
            None => said.entry(current).or_default().push(line.trim_end().to_owned()),
        }
    }
    said
}

fn tell_console(console: &Path) {
    let bytes = fs::read(console).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    println!("the last lines of its console:");
    lines.iter().skip(lines.len().saturating_sub(CONSOLE_LINES_MAX)).for_each(|line| println!("    {line}"));
}

/// What cases put into `$OUT` is found in `target/vm/out`.
fn keep(files: &Path) -> Result<()> {
    let to = store().join("out");
    let _ = fs::remove_dir_all(&to);
    fs::create_dir_all(&to)?;
    if fs::metadata(files).is_ok_and(|metadata| metadata.len() > 0) {
        program::run(Command::new("tar").arg("-xf").arg(files).arg("-C").arg(&to))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_belongs_to_the_case_before_it() {
        let said = by_case("boot\n== a\nok one\n== b\nFAILED two\nthree\n");
        assert_eq!(said["a"], ["ok one"]);
        assert_eq!(said["b"], ["FAILED two", "three"]);
    }

    #[test]
    fn a_case_that_did_not_end_has_no_status() {
        let states = states("start a\nend a 0 7\nstart b\n");
        assert_eq!((states.get("a"), states.get("b")), (Some(&End { status: 0, seconds: 7 }), None));
    }
}
