//! Pure. What has become of a wish so far: answers and moments in, fates out.

use std::collections::BTreeMap;

use super::judge::{Fate, Verdict, judge};
use crate::control::messages::Answer;
use crate::control::wish::{CONFIG_GONE, Deed, Standing};
use crate::emperor::event::Moment;

/// How long a program that does not say when it is ready has to go on.
const SETTLED_MS: u64 = 1_000;
/// Of what was disabled and has no config: nothing runs, and nothing is to be waited for.
const FORGOTTEN: &str = "enabled: it has no config now, and that it was disabled is forgotten";
/// How long one has to run that counts as ready as soon as it does: whoever ends at once has not been started.
const LIVED_MS: u64 = 100;

/// A wish that is being carried out.
#[derive(Debug)]
pub struct Progress {
    deed: Deed,
    open: BTreeMap<u32, Open>,
    told: bool,
}

/// A vassal whose fate is not known yet.
#[derive(Debug)]
struct Open {
    first: Standing,
    now: Standing,
    settles: Option<(Moment, Fate)>,
    /// Since when its last process has been seen to run, by the number of its start.
    runs: Option<(u32, Moment)>,
}

impl Open {
    fn new(first: Standing) -> Self {
        Self { now: first.clone(), first, settles: None, runs: None }
    }

    /// Since when its process runs, as far as is known.
    fn runs_since(&mut self, now: Moment) -> Moment {
        let attempt = self.now.attempt;
        let known = self.runs.filter(|(of, _)| *of == attempt);
        self.runs.insert(known.unwrap_or((attempt, now))).1
    }
}

/// What became of one vassal, or of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Its name.
    pub name: String,
    /// What became of it.
    pub fate: Fate,
}

impl Progress {
    /// Nothing is known yet.
    pub fn of(deed: Deed) -> Self {
        Self { deed, open: BTreeMap::new(), told: false }
    }

    /// The Emperor says something.
    pub fn hear(&mut self, answer: Answer, now: Moment) -> Vec<Outcome> {
        match answer {
            Answer::Standings(standings) => {
                standings.into_iter().flat_map(|one| self.learn(one, now)).collect()
            }
            Answer::Nobody(names) => {
                let fate = Fate::Failed("no such vassal".into());
                names.into_iter().map(|name| Outcome { name, fate: fate.clone() }).collect()
            }
            Answer::Declined(number, sentence) => self.end(number, Fate::Failed(sentence)),
            Answer::Gone(number) => {
                let fate = self.open.get(&number).map(|open| self.gone(&open.first));
                fate.into_iter().flat_map(|fate| self.end(number, fate)).collect()
            }
            Answer::Told => {
                self.told = true;
                let numbers: Vec<u32> = self.open.keys().copied().collect();
                numbers.into_iter().flat_map(|number| self.weigh(number, now)).collect()
            }
            _ => Vec::new(),
        }
    }

    fn learn(&mut self, standing: Standing, now: Moment) -> Vec<Outcome> {
        let number = standing.number;
        match self.open.get_mut(&number) {
            Some(open) => open.now = standing,
            None if self.told => {} // its fate is known
            None => {
                self.open.insert(number, Open::new(standing));
            }
        }
        if self.told { self.weigh(number, now) } else { Vec::new() }
    }

    fn weigh(&mut self, number: u32, now: Moment) -> Vec<Outcome> {
        let Some(open) = self.open.get_mut(&number) else { return Vec::new() };
        open.settles = None;
        let runs_since =
            matches!(open.now.state.as_str(), "running" | "reloading").then(|| open.runs_since(now));
        match judge(self.deed, &open.first, &open.now) {
            Verdict::Wait => {}
            Verdict::Settles(fate) => open.settles = Some((now.plus_ms(SETTLED_MS), fate)),
            Verdict::Lives(fate) => open.settles = Some((runs_since.unwrap_or(now).plus_ms(LIVED_MS), fate)),
            Verdict::Is(fate) => return self.end(number, fate),
        }
        Vec::new()
    }

    fn end(&mut self, number: u32, fate: Fate) -> Vec<Outcome> {
        let open = self.open.remove(&number);
        open.into_iter().map(|open| Outcome { name: open.first.name, fate: fate.clone() }).collect()
    }

    fn gone(&self, first: &Standing) -> Fate {
        match self.deed {
            Deed::Enable if first.state == CONFIG_GONE => Fate::Done(FORGOTTEN),
            Deed::Stop => Fate::Done("stopped"),
            Deed::Disable => Fate::Done("disabled"),
            _ if first.is_daemon => Fate::Failed("its vassal has just ended".into()),
            Deed::Signal(_) => Fate::Failed("it has just ended".into()),
            Deed::Look | Deed::Start | Deed::Restart | Deed::Reload | Deed::Enable => {
                Fate::Failed("its config is gone".into())
            }
        }
    }

    /// Those who have gone on for long enough.
    pub fn handle_deadline(&mut self, now: Moment) -> Vec<Outcome> {
        let is_due = |open: &Open| open.settles.as_ref().is_some_and(|(at, _)| *at <= now);
        let due: Vec<u32> =
            self.open.iter().filter(|(_, open)| is_due(open)).map(|(number, _)| *number).collect();
        let fate = |open: &Open| open.settles.as_ref().map(|(_, fate)| fate.clone());
        due.into_iter()
            .flat_map(|number| match self.open.get(&number).and_then(fate) {
                Some(fate) => self.end(number, fate),
                None => Vec::new(),
            })
            .collect()
    }

    /// When that is.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.open.values().filter_map(|open| open.settles.as_ref().map(|(at, _)| *at)).min()
    }

    /// Whether everything is known.
    pub fn is_over(&self) -> bool {
        self.told && self.open.is_empty()
    }

    /// All that are left were told, and nobody waits for what comes of it.
    pub fn leave(&mut self) -> Vec<Outcome> {
        let open = std::mem::take(&mut self.open).into_values();
        open.map(|one| Outcome { name: one.first.name, fate: Fate::Done("told") }).collect()
    }

    /// Nothing more will be known.
    pub fn give_up(&mut self, sentence: &str) -> Vec<Outcome> {
        let open = std::mem::take(&mut self.open).into_values();
        open.map(|one| Outcome { name: one.first.name, fate: Fate::Failed(sentence.to_owned()) }).collect()
    }
}

impl Fate {
    /// For people.
    pub fn words(&self) -> String {
        match self {
            Self::Done(word) | Self::Already(word) => (*word).to_owned(),
            Self::Failed(sentence) | Self::Down(sentence) => format!("ERROR ({sentence})"),
        }
    }

    /// Exit status: 0 for what is as it was to be, 7 for what does not run, 1 for what was not done.
    pub fn status(&self) -> u8 {
        match self {
            Self::Done(_) | Self::Already(_) => 0,
            Self::Failed(_) => 1,
            Self::Down(_) => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(number: u32, state: &str, ready: bool) -> Standing {
        let name = format!("v{number}");
        Standing { number, name, state: state.into(), attempt: 1, ready, ..Standing::default() }
    }

    fn at(ms: u64) -> Moment {
        Moment(0).plus_ms(ms)
    }

    #[test]
    fn nothing_is_judged_before_all_were_told() {
        let mut progress = Progress::of(Deed::Stop);
        assert_eq!(progress.hear(Answer::Standings(vec![standing(1, "suspended", false)]), at(0)), []);
        assert!(!progress.is_over());
        let told = progress.hear(Answer::Told, at(0));
        assert_eq!(told, [Outcome { name: "v1".into(), fate: Fate::Already("not running") }]);
        assert!(progress.is_over());
    }

    #[test]
    fn who_says_nothing_has_to_go_on_for_a_while() {
        let mut progress = Progress::of(Deed::Start);
        progress.hear(Answer::Standings(vec![standing(1, "suspended", false)]), at(0));
        let up = Standing { attempt: 2, foreign: true, ..standing(1, "running", false) };
        progress.hear(Answer::Standings(vec![up.clone()]), at(0));
        assert_eq!(progress.hear(Answer::Told, at(0)), []);
        assert_eq!((progress.next_deadline(), progress.handle_deadline(at(999))), (Some(at(1_000)), vec![]));
        let fell = Standing { attempt: 2, ..standing(1, "throttled", false) };
        let told = progress.hear(Answer::Standings(vec![fell]), at(999));
        assert!(matches!(&told[..], [Outcome { fate: Fate::Down(_), .. }]), "{told:?}");
        assert_eq!(progress.hear(Answer::Standings(vec![up]), at(1_000)), [], "its fate was told");
    }

    /// Of a config that goes while it is enabled that is no more than an error.
    #[test]
    fn what_is_forgotten_has_no_config_and_is_well_so() {
        let mut progress = Progress::of(Deed::Enable);
        let marks = vec![Standing::of_mark(1, "old.ini"), standing(2, "disabled", false)];
        progress.hear(Answer::Standings(marks), at(0));
        let said = [Answer::Gone(1), Answer::Gone(2), Answer::Gone(3)];
        let told: Vec<Outcome> = said.into_iter().flat_map(|one| progress.hear(one, at(0))).collect();
        let fates: Vec<(&str, u8)> = told.iter().map(|one| (&*one.name, one.fate.status())).collect();
        assert_eq!(fates, [("old.ini", 0), ("v2", 1)]);
        assert!(told[0].fate.words().contains("is forgotten"));
    }

    #[test]
    fn who_ends_at_once_was_not_started_and_who_has_run_for_long_enough_is_not_waited_for() {
        let mut progress = Progress::of(Deed::Restart);
        progress.hear(Answer::Standings((1..=2).map(|one| standing(one, "queued", false)).collect()), at(0));
        progress.hear(Answer::Told, at(0));
        let begins = |number| Standing { attempt: 2, ..standing(number, "running", false) };
        let ready = |number| Standing { ready: true, ..begins(number) };
        assert_eq!(progress.hear(Answer::Standings(vec![ready(1), begins(2)]), at(0)), []);
        assert_eq!((progress.next_deadline(), progress.handle_deadline(at(99))), (Some(at(100)), vec![]));
        let fell = Standing { attempt: 2, ..standing(1, "throttled", false) };
        let told = progress.hear(Answer::Standings(vec![fell]), at(99));
        assert_eq!(told.iter().map(|one| one.fate.status()).collect::<Vec<_>>(), [7]);
        assert_eq!(
            (progress.next_deadline(), progress.is_over()),
            (None, false),
            "it is to say that it is ready"
        );
        progress.hear(Answer::Standings(vec![ready(2)]), at(3_000));
        assert_eq!(progress.next_deadline(), Some(at(100)), "it has run for long enough");
        let told = progress.handle_deadline(at(3_000));
        assert_eq!(told, [Outcome { name: "v2".into(), fate: Fate::Done("restarted") }]);
    }

    #[test]
    fn names_of_nobody_those_that_are_declined_and_those_that_go_are_told() {
        let mut progress = Progress::of(Deed::Start);
        let found = (1..=3).map(|number| standing(number, "queued", false)).collect();
        progress.hear(Answer::Standings(found), at(0));
        let said = [
            Answer::Nobody(vec!["x".into()]),
            Answer::Declined(1, "disabled".into()),
            Answer::Told,
            Answer::Gone(2),
        ];
        let told: Vec<Outcome> = said.into_iter().flat_map(|one| progress.hear(one, at(0))).collect();
        assert_eq!(told.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["x", "v1", "v2"]);
        assert!(told.iter().all(|one| one.fate.status() == 1));
        assert_eq!(progress.give_up("the Emperor has ended").len(), 1);
        assert!(progress.is_over());
    }
}
