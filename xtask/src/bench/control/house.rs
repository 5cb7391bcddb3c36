//! An Emperor of ours with plain vassals, and one more in each state.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::bench::court::{Court, Vassals};
use crate::bench::lab::Lab;
use crate::bench::stamps::{ms, now_ns};

/// How long all vassals may take until they run, and one until it is in its state.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// Between two looks.
const REST: Duration = Duration::from_millis(20);
/// One vassal is started three times at once and then once each second; a little more, so that nobody waits for it.
const RATION_EVERY: Duration = Duration::from_millis(1_050);
const RATION_BURST: u32 = 3;
/// No delay is over and nobody is killed while this is measured; at the end nobody is waited for.
const OPTIONS: [&str; 8] = [
    "--emperor-throttle",
    "3600000",
    "--emperor-max-throttle",
    "3600000",
    "--emperor-curse-tolerance",
    "3600",
    "--reload-mercy",
    "1",
];
/// Says two lines and becomes the program that accepts; by some names something else.
const PROGRAM: &str = "#!/bin/sh\nfor name; do :; done\ncase $name in\nthrottled*) exit 1;;\n\
cursed*) trap '' INT TERM QUIT HUP; exec sleep 1000000;;\nesac\necho one; echo two\nexec STAMP \"$name\"\n";

/// How a vassal stands.
pub struct State {
    /// As people call it.
    pub word: &'static str,
    /// Which vassal does.
    pub name: &'static str,
    /// What it is in the stats.
    state: &'static str,
    /// What is said to it, so that it does.
    said: &'static [&'static str],
}

/// All that are measured.
pub const STATES: [State; 5] = [
    State { word: "running", name: "v0.ini", state: "running", said: &[] },
    State { word: "throttled", name: "throttled.ini", state: "throttled", said: &[] },
    State { word: "on demand", name: "waits.ini", state: "on-demand", said: &[] },
    State { word: "cursed", name: "cursed.ini", state: "stopping", said: &["stop", "--no-wait"] },
    State { word: "disabled", name: "disabled.ini", state: "disabled", said: &["disable"] },
];

/// Ends when it goes out of scope.
pub struct House<'a> {
    /// How many plain vassals it has.
    pub size: usize,
    lab: &'a Lab,
    place: PathBuf,
    /// When the starts that each may have at once are all there again.
    full_at: Vec<Instant>,
    _court: Court,
}

impl<'a> House<'a> {
    /// Returns when all are as they are to be.
    ///
    /// # Errors
    /// The Emperor cannot be started, or they are not.
    pub fn open(lab: &'a Lab, size: usize) -> Result<Self> {
        lab.stamps.drain();
        let place = lab.directory()?;
        let mut options: Vec<String> = OPTIONS.map(String::from).into();
        let beside = |name: &str| place.join(name).display().to_string();
        options.extend(["--emperor-stats".into(), beside("stats"), "--binary-path".into(), program(lab)?]);
        options.extend(["--emperor-state-directory".into(), beside("state")]);
        options.extend(["--emperor-on-demand-extension".into(), ".at".into()]);
        options.extend(["--on-demand-sockets".into(), place.display().to_string()]);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let court = Court::empty(lab, Vassals::AsWritten, &options)?;
        court.create("waits.ini.at", &beside("waits.socket"))?;
        for state in STATES.iter().skip(1) {
            court.create(state.name, "[uwsgi]\n")?;
        }
        for number in 0..size {
            court.create(&format!("v{number}.ini"), "[uwsgi]\n")?;
        }
        // Those, and who is to be disabled.
        lab.stamps.last_of(size + 1, PATIENCE)?;
        let house =
            Self { size, lab, place, full_at: vec![Instant::now() + RATION_EVERY; size], _court: court };
        STATES.iter().try_for_each(|state| house.bring_about(state))?;
        Ok(house)
    }

    /// As the tables call it.
    pub fn name(&self) -> String {
        format!("liege, {} vassal{}", self.size, if self.size == 1 { "" } else { "s" })
    }

    /// Its stats socket.
    pub fn stats(&self) -> PathBuf {
        self.place.join("stats")
    }

    /// Its control socket.
    pub fn control(&self) -> PathBuf {
        self.place.join("stats.control")
    }

    /// Milliseconds that this takes, said of the plain vassal whose turn it is.
    ///
    /// # Errors
    /// It is not done.
    pub fn say(&mut self, words: &[&str], starts: bool, place: usize) -> Result<f64> {
        let number = place % self.size;
        if starts {
            self.ration(number);
        }
        let before = now_ns();
        self.command(words, &format!("v{number}.ini"))?;
        let taken = ms(before, now_ns());
        self.lab.stamps.drain();
        Ok(taken)
    }

    /// Waits until this one may be started at once.
    fn ration(&mut self, number: usize) {
        let full_at = &mut self.full_at[number];
        let due = *full_at - RATION_EVERY * (RATION_BURST - 1);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        *full_at = (*full_at).max(Instant::now()) + RATION_EVERY;
    }

    fn command(&self, words: &[&str], name: &str) -> Result<()> {
        let (verb, rest) = words.split_first().context("no verb")?;
        let (flags, rest): (Vec<&str>, Vec<&str>) = rest.iter().partition(|word| word.starts_with("--"));
        let mut command = Command::new(&self.lab.liege);
        command.arg(verb).args(flags).arg(self.stats()).args(rest).arg(name);
        carry_out(&mut command)
    }

    fn bring_about(&self, state: &State) -> Result<()> {
        if !state.said.is_empty() {
            self.wait_for(state.name, "running")?;
            self.command(state.said, state.name)?;
        }
        self.wait_for(state.name, state.state)
    }

    fn wait_for(&self, name: &str, state: &str) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.state_of(name)?.as_deref() != Some(state) {
            ensure!(Instant::now() < end, "{name} is not {state}");
            thread::sleep(REST);
        }
        Ok(())
    }

    fn state_of(&self, name: &str) -> Result<Option<String>> {
        let document: Value = serde_json::from_slice(&super::socket::whole(&self.stats())?)?;
        let vassals = document["vassals"].as_array().context("no vassals in the stats")?;
        let found = vassals.iter().find(|vassal| vassal["id"] == name);
        Ok(found.and_then(|vassal| vassal["state"].as_str()).map(ToOwned::to_owned))
    }
}

/// Runs a command to its end.
///
/// # Errors
/// Its status is not 0; what it said.
pub fn carry_out(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().context("cannot run it")?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{}: {}", output.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(())
}

/// What all run, ours and theirs.
///
/// # Errors
/// It cannot be written.
pub fn program(lab: &Lab) -> Result<String> {
    use std::os::unix::fs::PermissionsExt;
    let path = lab.beside("governed");
    if !path.exists() {
        std::fs::write(&path, PROGRAM.replace("STAMP", &lab.stamp().display().to_string()))?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    }
    Ok(path.display().to_string())
}
