//! What crash-looping vassals do to the start of a healthy one.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::court::{Court, Kind, Vassals};
use super::lab::Lab;
use super::stamps::ms;
use super::table::Table;

const CRASHING: usize = 200;
const PATIENCE: Duration = Duration::from_secs(15);
const REST: Duration = Duration::from_millis(30);
/// What stands beside the healthy one: how many, under which options.
const CASES: [(&str, usize, &[&str]); 3] = [
    ("liege, alone", 0, &[]),
    ("liege, beside 200 that crash and wait ever longer", CRASHING, &[]),
    (
        "liege, beside 200 that crash once a second each",
        CRASHING,
        &["--emperor-throttle", "1000", "--emperor-max-throttle", "1000"],
    ),
];

/// One table: the same starts without and with the others, in turn, in Emperors of their own.
///
/// # Errors
/// A directory cannot be made.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let mut table = Table::new("Config created → program runs", "ms");
    for block in 0..lab.rounds(5, 1) {
        for (number, (row, others, options)) in CASES.into_iter().enumerate() {
            let court = beside(lab, others, options)?;
            for round in 0..lab.rounds(40, 3) {
                let sample = start(lab, &court, &format!("h{block}-{number}-{round}"));
                let failed = sample.is_err();
                table.add_result(row, sample);
                if failed {
                    break;
                }
            }
        }
    }
    Ok(vec![table])
}

/// An Emperor of so many that crash, each of which has done so twice: from then on it has to wait for its starts.
fn beside(lab: &Lab, others: usize, options: &[&str]) -> Result<Court> {
    lab.settle();
    lab.stamps.drain();
    let said = fs::metadata(lab.log(Kind::Liege)).map_or(0, |log| log.len());
    let court = Court::empty(lab, Vassals::AsWritten, options)?;
    for number in 0..others {
        court.create(&format!("crash{number}.ini"), "[uwsgi]\ncommand = /bin/false\n")?;
    }
    let end = Instant::now() + PATIENCE;
    while deaths(lab, said)? < 2 * others {
        ensure!(Instant::now() < end, "not all of {others} vassals crash");
        thread::sleep(REST);
    }
    Ok(court)
}

/// How many were told of since the log was so long.
fn deaths(lab: &Lab, said: u64) -> Result<usize> {
    let log = fs::read(lab.log(Kind::Liege))?;
    let fresh = log.get(usize::try_from(said)?..).unwrap_or_default();
    Ok(String::from_utf8_lossy(fresh).matches("died (").count())
}

fn start(lab: &Lab, court: &Court, name: &str) -> Result<f64> {
    thread::sleep(REST);
    let text = format!("[uwsgi]\ncommand = {} {name}\n", lab.stamp().display());
    let before = court.create(&format!("{name}.ini"), &text)?;
    Ok(ms(before, lab.stamps.of('s', name, before, PATIENCE)?.at_ns))
}
