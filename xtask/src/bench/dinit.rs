//! dinit, the fastest supervisor that is around, with one service for each vassal.

use std::fmt::Write;
use std::fs;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use crate::program;

use super::lab::Lab;
use super::stamps::now_ns;

/// A running one; ends with its services when it goes out of scope.
#[derive(Debug)]
pub struct Dinit(Child);

impl Dinit {
    /// Starts it on so many services. The second value is when it was started.
    ///
    /// # Errors
    /// It is not installed or cannot be started.
    pub fn start(lab: &Lab, count: usize) -> Result<(Self, u64)> {
        let dinit = program::find("dinit").context("dinit is not installed")?;
        let directory = lab.directory()?;
        let mut boot = String::from("type = internal\n");
        for number in 0..count {
            let service = format!("type = process\ncommand = {} v{number}\n", lab.stamp().display());
            fs::write(directory.join(format!("v{number}")), service)?;
            writeln!(boot, "waits-for = v{number}")?;
        }
        fs::write(directory.join("boot"), boot)?;
        let mut command = Command::new(dinit);
        command.args(["--user", "--quiet", "--services-dir"]).arg(&directory);
        command.arg("--socket-path").arg(directory.join("control")).arg("boot");
        let before = now_ns();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot run dinit")?;
        Ok((Self(child), before))
    }
}

impl Drop for Dinit {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        let _ = self.0.wait();
    }
}
