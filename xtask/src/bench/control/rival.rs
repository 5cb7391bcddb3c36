//! A supervisord with programs of the same kind, and its `supervisorctl`.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::Signal;

use crate::bench::court;
use crate::bench::lab::Lab;
use crate::bench::stamps::{ms, now_ns};
use crate::program;

use super::house::{self, PATIENCE};

/// What it needs beside the programs.
const CONFIG: &str = "[unix_http_server]
file=DIR/s.sock
[supervisord]
logfile=DIR/s.log
pidfile=DIR/s.pid
childlogdir=DIR
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://DIR/s.sock
";

/// Ends with its programs when it goes out of scope.
pub struct Rival<'a> {
    lab: &'a Lab,
    size: usize,
    config: PathBuf,
    child: Child,
}

impl<'a> Rival<'a> {
    /// Returns when all programs run.
    ///
    /// # Errors
    /// It is not installed, or they do not.
    pub fn open(lab: &'a Lab, size: usize) -> Result<Self> {
        let supervisord = program::find("supervisord").context("supervisord is not installed")?;
        lab.stamps.drain();
        let place = lab.directory()?;
        let mut text = CONFIG.replace("DIR", &place.display().to_string());
        let program = house::program(lab)?;
        for number in 0..size {
            // A program is taken to run as soon as it is started: nobody has to wait for a second.
            writeln!(
                text,
                "[program:v{number}]\ncommand={program} v{number}\nstartsecs=0\nautorestart=false"
            )?;
        }
        let config = place.join("s.conf");
        std::fs::write(&config, text)?;
        let mut command = Command::new(supervisord);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let rival = Self { lab, size, config, child: command.spawn().context("cannot run supervisord")? };
        lab.stamps.last_of(size, PATIENCE)?;
        Ok(rival)
    }

    /// As the tables call it.
    pub fn name(size: usize) -> String {
        format!("supervisorctl, {size} programs")
    }

    /// Milliseconds that this takes, said of the program whose turn it is.
    ///
    /// # Errors
    /// It is not done.
    pub fn say(&self, words: &[&str], place: usize) -> Result<f64> {
        let mut command = Command::new("supervisorctl");
        command.arg("-c").arg(&self.config).args(words).arg(format!("v{}", place % self.size));
        let before = now_ns();
        house::carry_out(&mut command)?;
        let taken = ms(before, now_ns());
        self.lab.stamps.drain();
        Ok(taken)
    }
}

impl Drop for Rival<'_> {
    fn drop(&mut self) {
        court::end(&mut self.child, Signal::TERM);
    }
}
