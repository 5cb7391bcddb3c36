//! What crash-looping vassals do to the start of a healthy one.

use std::time::Duration;

use anyhow::Result;

use super::court::{Court, Kind, Vassals};
use super::lab::Lab;
use super::stamps::ms;
use super::table::Table;

const CRASHING: usize = 200;
const PATIENCE: Duration = Duration::from_secs(15);
const REST: Duration = Duration::from_millis(30);

/// One table: the same starts without and with the others, in turn, in Emperors of their own.
///
/// # Errors
/// A directory cannot be made.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let crashing = lab.rounds(CRASHING, 10);
    let mut table = Table::new("Config created → program runs", "ms");
    let beside = format!("liege, beside {crashing} vassals that crash all the time");
    for block in 0..lab.rounds(5, 1) {
        for (row, others) in [("liege, alone", 0), (beside.as_str(), crashing)] {
            if let Err(error) = starts(lab, others, block, &mut |sample| table.add(row, sample)) {
                table.add_result(row, Err(error));
            }
        }
    }
    Ok(vec![table])
}

fn starts(lab: &Lab, others: usize, block: usize, add: &mut dyn FnMut(f64)) -> Result<()> {
    lab.settle();
    lab.stamps.drain();
    let (court, _) = Court::open(lab, Kind::Liege, Vassals::AsWritten, 0)?;
    for number in 0..others {
        court.create(&format!("crash{number}.ini"), "[uwsgi]\ncommand = /bin/false\n")?;
    }
    for round in 0..lab.rounds(40, 3) {
        std::thread::sleep(REST);
        let name = format!("h{block}-{others}-{round}");
        let text = format!("[uwsgi]\ncommand = {} {name}\n", lab.stamp().display());
        let before = court.create(&format!("{name}.ini"), &text)?;
        add(ms(before, lab.stamps.of('s', &name, before, PATIENCE)?.at_ns));
    }
    Ok(())
}
