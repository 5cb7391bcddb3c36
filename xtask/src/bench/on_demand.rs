//! From a connection to the first byte of the answer, where the connection starts the program.

use std::io::Read;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::program;

use super::court::{Court, Kind, Vassals};
use super::lab::Lab;
use super::stamps::{ms, now_ns};
use super::table::Table;

const FLOOR: &str = "C floor: poll, vfork, exec, accept";
const SYSTEMD: &str = "systemd-socket-activate (started before, executes in its place)";
/// One vassal is started three times at once and then once each second: nobody is asked before its next start is due.
const RATION: Duration = Duration::from_secs(1);
/// From the end of one program until whoever started it listens again, generously.
const REST: Duration = Duration::from_millis(50);
/// uWSGI binds anew after an end, at its next look.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks for a socket.
const PAUSE: Duration = Duration::from_millis(5);

/// One table.
///
/// # Errors
/// The floor cannot be run.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let mut table = Table::new("On demand: connection → first byte of the answer", "ms");
    let sockets = [lab.beside("answers"), Court::socket(lab, Kind::Liege, "v0"), lab.beside("activated")];
    let _floor = Ends::after(Command::new(lab.answer()).arg("--listen").arg(&sockets[0]))?;
    let liege = Court::open(lab, Kind::Liege, Vassals::OnDemand, 1);
    for _ in 0..lab.rounds(100, 5) {
        thread::sleep(RATION);
        table.add(FLOOR, ask(&sockets[0])?);
        let asked =
            liege.as_ref().map_err(|error| anyhow::anyhow!("{error:#}")).and_then(|_| ask(&sockets[1]));
        table.add_result(Kind::Liege.name(), asked);
    }
    for _ in 0..lab.rounds(50, 5) {
        table.add_result(SYSTEMD, activated(lab, &sockets[2]));
    }
    let rival = Kind::UwsgiUnthrottled;
    let socket = Court::socket(lab, rival, "v0");
    match Court::open(lab, rival, Vassals::OnDemand, 1) {
        Ok(_court) => (0..lab.rounds(10, 2)).for_each(|_| table.add_result(rival.name(), ask(&socket))),
        Err(error) => table.add_result(rival.name(), Err(error)),
    }
    Ok(vec![table])
}

/// Milliseconds from the connection to the answer.
fn ask(socket: &Path) -> Result<f64> {
    thread::sleep(REST);
    let end = Instant::now() + PATIENCE;
    loop {
        let before = now_ns();
        match UnixStream::connect(socket) {
            Ok(stream) => return answered(stream, before),
            Err(error) if Instant::now() > end => {
                return Err(error).with_context(|| format!("nobody listens at {}", socket.display()));
            }
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn answered(mut stream: UnixStream, before: u64) -> Result<f64> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut byte = [0];
    stream.read_exact(&mut byte).context("no answer")?;
    Ok(ms(before, now_ns()))
}

/// A fresh one for each connection, as it gives itself up to the program.
fn activated(lab: &Lab, socket: &PathBuf) -> Result<f64> {
    let activate = program::find("systemd-socket-activate").context("it is not installed")?;
    let _ = std::fs::remove_file(socket);
    let mut command = Command::new(activate);
    let _one = Ends::after(command.arg("--listen").arg(socket).arg(lab.answer()))?;
    ask(socket)
}

/// Ends when it goes out of scope.
struct Ends(Child);

impl Ends {
    fn after(command: &mut Command) -> Result<Self> {
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(Self(quiet.spawn().context("cannot be run")?))
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
