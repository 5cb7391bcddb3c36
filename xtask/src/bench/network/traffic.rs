//! `benches/traffic.c`: what arrives, and what it costs.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::bench::lab::Lab;
use crate::program;

/// Where traffic goes: from jails to their host, or back.
#[derive(Clone, Debug)]
pub struct Ends {
    /// The host, as jails see it.
    pub address: String,
    /// Network namespace of the host.
    pub host: PathBuf,
    /// Network namespaces of the jails.
    pub jails: Vec<PathBuf>,
    /// Who carries packets.
    pub pids: Vec<i32>,
}

/// What traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A stream from the jail.
    Up,
    /// A stream to the jail.
    Down,
    /// One byte there and back.
    PingPong,
    /// Datagrams of 64 bytes from the jail.
    Datagrams,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Bytes, round trips or datagrams.
    arrived: f64,
    /// Nanoseconds in which they did.
    window_ns: f64,
    /// CPU time of the whole machine.
    machine_ns: f64,
    /// CPU time of those who carry packets.
    carriers_ns: f64,
}

impl Sample {
    /// Gigabits a second.
    pub fn gbit_s(&self) -> f64 {
        self.arrived * 8.0 / self.window_ns
    }

    /// CPU milliseconds of the whole machine for a gigabit.
    pub fn cpu_ms_per_gbit(&self) -> f64 {
        self.machine_ns / 1e6 / (self.arrived * 8.0 / 1e9)
    }

    /// Microseconds for each that arrived.
    pub fn us_each(&self) -> f64 {
        self.window_ns / 1e3 / self.arrived
    }

    /// CPU microseconds of the carriers for each that arrived; none where the kernel carries.
    pub fn carrier_us_each(&self) -> Option<f64> {
        (self.carriers_ns > 0.0).then_some(self.carriers_ns / 1e3 / self.arrived)
    }
}

/// Sends and receives for a while, so many connections of each jail.
///
/// # Errors
/// Nothing arrives, or the program cannot be run.
pub fn measure(lab: &Lab, ends: &Ends, kind: Kind, streams: usize) -> Result<Sample> {
    let word = match kind {
        Kind::Up => "up",
        Kind::Down => "down",
        Kind::PingPong => "ping",
        Kind::Datagrams => "udp",
    };
    let window = Duration::from_millis(lab.rounds(1_000, 100) as u64);
    let pids: Vec<String> = ends.pids.iter().map(i32::to_string).collect();
    let mut command = Command::new(lab.beside("traffic"));
    command.args([word, &ends.address, &window.as_millis().to_string(), &streams.to_string()]);
    command.arg(if pids.is_empty() { "-".to_owned() } else { pids.join(",") });
    let answer = program::output(command.arg(&ends.host).args(&ends.jails))?;
    let numbers: Vec<f64> = answer.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [arrived, window_ns, machine_ns, carriers_ns] = numbers[..] else {
        anyhow::bail!("traffic answers nonsense: {answer}");
    };
    (arrived > 0.0)
        .then_some(Sample { arrived, window_ns, machine_ns, carriers_ns })
        .context("nothing arrived")
}
