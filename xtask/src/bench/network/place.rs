//! A network namespace that lives as long as we do, and programs in it.

use std::fmt::Display;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::program;

const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(5);

/// Held by a process that does nothing and dies with us.
#[derive(Debug)]
pub struct Place(Child);

impl Place {
    /// A new one; `lo` is up.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new() -> Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "unshare", "--net", "sleep", "infinity"]);
        let place = Self(command.stdin(Stdio::null()).spawn().context("cannot make a network namespace")?);
        let own = std::fs::read_link("/proc/self/ns/net")?;
        wait("the namespace", || std::fs::read_link(place.file()).is_ok_and(|other| other != own))?;
        place.ip("link set lo up")?;
        Ok(place)
    }

    /// Where others enter it.
    pub fn file(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.0.id()).into()
    }

    /// A command line that runs in it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.file().display())).arg(program);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// `ip(8)` with these words.
    ///
    /// # Errors
    /// It refuses.
    pub fn ip(&self, words: impl Display) -> Result<()> {
        let words = words.to_string();
        program::output(self.command("ip").args(words.split_whitespace()).stdout(Stdio::piped())).map(|_| ())
    }

    /// Waits until it has a device of this name with an address, and is able to use it.
    ///
    /// # Errors
    /// It does not come.
    pub fn wait_for(&self, device: &str) -> Result<()> {
        let has_address = || {
            let mut command = self.command("ip");
            command.args(["-4", "-brief", "address", "show", "dev", device, "up"]);
            program::output(command.stdout(Stdio::piped())).is_ok_and(|text| text.contains('/'))
        };
        wait(device, has_address)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until it is so.
///
/// # Errors
/// It never is.
pub fn wait(what: &str, is_so: impl Fn() -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        if Instant::now() > end {
            bail!("waited in vain for {what}");
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}
