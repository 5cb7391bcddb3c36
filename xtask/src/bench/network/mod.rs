//! Jails and their host: our router between them, what others have for it, and the kernel's own pair of devices.

mod own;
mod place;
mod rules;
mod traffic;
mod wire;

use anyhow::Result;

use super::lab::Lab;
use super::table::Table;
use own::Court;
use traffic::{Ends, Kind, Sample};
use wire::Wire;

type Make = fn(&Lab) -> Result<Wire>;

/// The first one is what the others are compared with.
const WIRES: [(&str, Make); 8] = [
    ("veth", Wire::veth),
    ("C relay, MTU 1500", Wire::relay),
    ("C relay, MTU 65000", Wire::relay_big),
    ("C relay, offloads, MTU 1500", Wire::relay_offloaded),
    ("C relay, offloads, MTU 65000", Wire::relay_both),
    ("slirp4netns", Wire::slirp),
    ("pasta", Wire::pasta),
    ("uwsgi", Wire::uwsgi),
];

/// What is measured along each way: what traffic, connections, and what becomes of a sample.
const SERIES: [Series; 5] = [
    Series {
        kind: Kind::Up,
        streams: 1,
        shown: &[("TCP from the jail", GBIT), ("the same, what it costs", COST)],
    },
    Series {
        kind: Kind::Down,
        streams: 1,
        shown: &[("TCP to the jail", GBIT), ("the same, what it costs", COST)],
    },
    Series { kind: Kind::Up, streams: 4, shown: &[("TCP from the jail, 4 streams", GBIT)] },
    Series {
        kind: Kind::Datagrams,
        streams: 1,
        shown: &[("UDP of 64 bytes from the jail", EACH), ("the same, whoever carries them", CARRIED)],
    },
    Series { kind: Kind::PingPong, streams: 1, shown: &[("TCP ping-pong", EACH)] },
];

struct Series {
    kind: Kind,
    streams: usize,
    shown: &'static [(&'static str, Shown)],
}

type Shown = (&'static str, fn(&Sample) -> Option<f64>);
const GBIT: Shown = ("Gbit/s", |sample| Some(sample.gbit_s()));
const COST: Shown = ("ms of CPU, of all, per Gbit", |sample| Some(sample.cpu_ms_per_gbit()));
const EACH: Shown = ("µs for each", |sample| Some(sample.us_each()));
const CARRIED: Shown = ("µs of CPU for each", Sample::carrier_us_each);

/// A way, and how it is made again when it breaks: some lose a jail under load.
struct Way {
    name: &'static str,
    make: Option<Make>,
    wire: Option<Wire>,
    ends: Result<Ends>,
}

impl Way {
    fn new(lab: &Lab, name: &'static str, make: Make) -> Self {
        let mut way = Self { name, make: Some(make), wire: None, ends: Err(anyhow::anyhow!("not made")) };
        way.mend(lab);
        way
    }

    fn mend(&mut self, lab: &Lab) {
        let Some(make) = self.make else { return };
        self.wire = None;
        let made = make(lab);
        self.ends = ends(made.as_ref().map(Wire::ends));
        self.wire = made.ok();
    }
}

/// One table for each series, and what peers and rules cost our router.
///
/// # Errors
/// The generator of traffic cannot be had.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let court = Court::open(lab);
    let mut ways: Vec<Way> = WIRES.iter().map(|(name, make)| Way::new(lab, name, *make)).collect();
    let own = ends(court.as_ref().map(Court::ends));
    ways.push(Way { name: own::NAME, make: None, wire: None, ends: own });
    let mut tables = compare(lab, &mut ways);
    if let Ok(court) = &court {
        tables.extend(court.measure(lab)?);
    }
    tables.push(rules::measure(lab));
    Ok(tables)
}

/// Errors are told in each table.
fn ends(made: Result<Ends, &anyhow::Error>) -> Result<Ends> {
    made.map_err(|error| anyhow::anyhow!("{error:#}"))
}

fn compare(lab: &Lab, ways: &mut [Way]) -> Vec<Table> {
    let titles = SERIES.iter().map(|series| series.shown.iter());
    let mut tables: Vec<Vec<Table>> =
        titles.map(|shown| shown.map(|(title, (unit, _))| Table::new(*title, unit)).collect()).collect();
    for _ in 0..lab.rounds(5, 1) {
        for (series, tables) in SERIES.iter().zip(&mut tables) {
            for way in &mut *ways {
                let sample = match &way.ends {
                    Ok(ends) => traffic::measure(lab, ends, series.kind, series.streams),
                    Err(error) => Err(anyhow::anyhow!("{error:#}")),
                };
                add(tables, (series, way.name), &sample);
                if sample.is_err() {
                    way.mend(lab);
                }
            }
        }
    }
    tables.into_iter().flatten().collect()
}

fn add(tables: &mut [Table], (series, name): (&Series, &str), sample: &Result<Sample>) {
    for ((_, (_, value)), table) in series.shown.iter().zip(tables) {
        match sample {
            Ok(sample) => value(sample).into_iter().for_each(|value| table.add(name, value)),
            Err(error) => table.add_result(name, Err(anyhow::anyhow!("{error:#}"))),
        }
    }
}
