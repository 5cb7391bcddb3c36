//! How long whoever governs vassals waits for an answer: by whole commands beside `supervisorctl`, and at the sockets alone.

mod house;
mod rival;
mod socket;

use anyhow::{Result, anyhow};

use super::lab::Lab;
use super::table::Table;

use house::{House, STATES, State};
use rival::Rival;

/// Something that is said of one vassal.
struct Verb {
    words: &'static [&'static str],
    /// Which of the vassals of a round it is said of: who is started often has to wait for it.
    whom: usize,
    /// It takes one of the starts that a vassal may have at once.
    starts: bool,
    /// `supervisorctl` has it too.
    theirs: bool,
}

const fn verb(words: &'static [&'static str], whom: usize, starts: bool, theirs: bool) -> Verb {
    Verb { words, whom, starts, theirs }
}

/// In this order: what is stopped is started again.
const VERBS: [Verb; 10] = [
    verb(&["status"], 0, false, true),
    verb(&["why"], 0, false, false),
    verb(&["tail"], 0, false, true),
    verb(&["signal", "CONT"], 0, false, true),
    verb(&["reload"], 0, true, false),
    verb(&["restart"], 1, true, true),
    verb(&["stop"], 2, false, true),
    verb(&["start"], 2, true, true),
    verb(&["disable"], 3, false, false),
    verb(&["enable"], 3, true, false),
];
/// Vassals of one round.
const WHOM_MAX: usize = 4;
/// An Emperor of one vassal has this share of the rounds: its only one waits a second for each start.
const SMALLEST_EVERY: usize = 5;

/// A table for each verb, and one for each socket.
///
/// # Errors
/// No Emperor can be started.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let sizes = if lab.quick { [1, 5, 10] } else { [1, 100, 1_000] };
    let mut houses = Vec::new();
    for size in sizes {
        houses.push(House::open(lab, size)?);
    }
    let rival = Rival::open(lab, sizes[1]);
    let mut tables = govern(lab, &mut houses, &rival);
    tables.extend(ask(lab, &houses));
    Ok(tables)
}

/// All of them in turn.
fn govern(lab: &Lab, houses: &mut [House<'_>], rival: &Result<Rival<'_>>) -> Vec<Table> {
    let mut tables =
        VERBS.map(|verb| Table::new(format!("`{}` of one, as a whole command", verb.words.join(" ")), "ms"));
    for round in 0..lab.rounds(100, 1) {
        for (verb, table) in VERBS.iter().zip(&mut tables) {
            let place = round * WHOM_MAX + verb.whom;
            for house in houses.iter_mut().filter(|house| house.size > 1 || round % SMALLEST_EVERY == 0) {
                table.add_result(&house.name(), house.say(verb.words, verb.starts, place));
            }
            if verb.theirs {
                let said = rival.as_ref().map_err(|error| anyhow!("{error:#}"));
                table.add_result(
                    &Rival::name(houses[1].size),
                    said.and_then(|rival| rival.say(verb.words, place)),
                );
            }
        }
    }
    tables.into()
}

/// Without a command around it.
fn ask(lab: &Lab, houses: &[House<'_>]) -> Vec<Table> {
    let mut stats = Table::new("The stats socket: connection → whole document", "µs");
    let mut control = Table::new("The control socket: how does one stand that is …", "µs");
    for _ in 0..lab.rounds(1_000, 5) {
        for house in houses {
            stats.add_result(&house.name(), socket::read_all(&house.stats()));
            for State { word, name, .. } in STATES {
                let row = format!("{word}, in {}", house.name());
                control.add_result(&row, socket::look(&house.control(), name));
            }
        }
    }
    vec![control, stats]
}
