use super::*;
use crate::emperor::Emperor;
use crate::emperor::event::{Event, Fingerprint, Key, Moment, MonitorId, Owner, Sight};
use crate::emperor::policy::Policy;

const FIRST: Incarnation = Incarnation { id: VassalId(7), attempt: 1 };
const SECOND: Incarnation = Incarnation { attempt: 2, ..FIRST };

/// The leaf of a process, with what the kernel would write there.
fn write(cgroup: &Path, one: Incarnation, times: u64) {
    let leaf = cgroup.join(leaf_number(one.into()).to_string());
    std::fs::create_dir_all(&leaf).unwrap();
    let stat = format!("usage_usec 9\nnr_periods 50\nnr_throttled {times}\nthrottled_usec {times}00000\n");
    std::fs::write(leaf.join("cpu.stat"), stat).unwrap();
    std::fs::write(leaf.join("cpu.max"), "20000 100000\n").unwrap();
}

fn withheld(times: u64) -> Withheld {
    Withheld { times, microseconds: 0 }
}

#[test]
fn only_who_was_held_back_is_told_of() {
    let text = "usage_usec 9\nnr_periods 5\nnr_throttled 3\nthrottled_usec 1234567\n";
    let three = Withheld { times: 3, microseconds: 1_234_567 };
    assert_eq!(Withheld::parse(text), Some(three));
    assert_eq!(Withheld::parse("nr_throttled 0\nthrottled_usec 0\n"), None);
    assert_eq!(Withheld::parse("usage_usec 9\n"), None);
    let told = three.sentence("50000 100000");
    assert_eq!(told, "short of CPU time: held back 3 times, 1.2 s in all (cpu.max is 50000 100000)");
    assert!(withheld(1).sentence("max").contains("held back once, 0.0 s"));
}

#[test]
fn the_log_has_it_again_only_when_it_has_doubled() {
    let mut life = Life::default();
    let news: Vec<u64> = (0..=1_000).filter(|times| life.is_news(withheld(*times))).collect();
    assert_eq!(news, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    assert!(!Life { logged: u64::MAX, ..Life::default() }.is_news(withheld(u64::MAX - 1)));
}

#[test]
fn whoever_has_ended_is_told_of_until_the_next_process() {
    let place = tempfile::tempdir().unwrap();
    let mut held_back = HeldBack::default();
    write(place.path(), FIRST, 3);
    held_back.end(FIRST, "shop", Some(place.path()));
    assert!(held_back.last_words(FIRST).unwrap().contains("held back 3 times, 0.3 s"));
    assert_eq!(held_back.last_words(SECOND), None);
    write(place.path(), SECOND, 5);
    assert!(held_back.look(SECOND, "shop", place.path()).unwrap().contains("held back 5 times"));
    assert_eq!(held_back.last_words(FIRST), None);
    held_back.forget(FIRST.id);
    assert!(held_back.lives.is_empty());
}

#[test]
fn nothing_is_kept_of_those_who_were_not_held_back_or_have_no_limits() {
    let place = tempfile::tempdir().unwrap();
    let mut held_back = HeldBack::default();
    write(place.path(), FIRST, 0);
    held_back.end(FIRST, "shop", Some(place.path()));
    assert_eq!(held_back.look(FIRST, "shop", place.path()), None);
    held_back.end(SECOND, "shop", Some(place.path()));
    held_back.end(FIRST, "shop", None);
    assert!(held_back.lives.is_empty());
    let mut snapshot = Emperor::new(Policy::default()).snapshot();
    held_back.add(&mut snapshot, None);
    assert!(snapshot.vassals.is_empty());
}

/// How many of these are told of by this word.
fn told(held_back: &mut HeldBack, (cgroup, word): (&Path, &str), mut snapshot: Snapshot) -> usize {
    held_back.add(&mut snapshot, Some(cgroup));
    let is_told = |view: &&VassalView| view.strain.as_ref().is_some_and(|strain| strain.contains(word));
    snapshot.vassals.iter().filter(is_told).count()
}

/// So many, each of whom was held back so often.
fn write_all(cgroup: &Path, count: u32, times: u64) {
    (0..count).for_each(|id| write(cgroup, Incarnation { id: VassalId(id), attempt: 1 }, times));
}

/// A snapshot of so many that run.
fn crowd(count: u32) -> Snapshot {
    let key = Key { monitor: MonitorId(0), name: "shop".into() };
    let owner = Owner { uid: 1000, gid: 1000 };
    let sight = Sight { fingerprint: Fingerprint(1), owner, mtime_s: 0, refusal: None };
    let mut emperor = Emperor::new(Policy::default());
    emperor.handle(Event::Seen(key, sight), Moment(0));
    let mut snapshot = emperor.snapshot();
    let one = VassalView { up: true, attempts: 1, ..snapshot.vassals.remove(0) };
    snapshot.vassals = (0..count).map(|id| VassalView { id: VassalId(id), ..one.clone() }).collect();
    snapshot
}

#[test]
fn of_many_the_next_ones_are_read_each_time_and_the_others_stay_as_they_were() {
    let place = tempfile::tempdir().unwrap();
    let mut held_back = HeldBack::default();
    let count = 2 * READS_MAX + 10;
    let all = count.try_into().unwrap();
    let mut told = |word: &str| told(&mut held_back, (place.path(), word), crowd(all));
    write_all(place.path(), all, 3);
    let three = [(); 3].map(|()| told("held back 3 times"));
    assert_eq!(three, [READS_MAX, 2 * READS_MAX, count]);
    write_all(place.path(), all, 5);
    let five = [(); 3].map(|()| told("held back 5 times"));
    assert_eq!(five, [READS_MAX, 2 * READS_MAX, count]);
    assert_eq!(told("held back"), count);
}

/// Whoever asks for his own again and again is no hindrance to root.
#[test]
fn of_many_each_is_read_for_root_whoever_else_asks_meanwhile() {
    let place = tempfile::tempdir().unwrap();
    let mut held_back = HeldBack::default();
    let (own, count) = (READS_MAX + 10, 2 * READS_MAX + 20);
    let (own, all) = (own.try_into().unwrap(), count.try_into().unwrap());
    write_all(place.path(), all, 3);
    let by_root = [(); 4].map(|()| {
        told(&mut held_back, (place.path(), "held back"), crowd(own));
        told(&mut held_back, (place.path(), "held back"), crowd(all))
    });
    assert_eq!(by_root[3], count, "{by_root:?}");
    (0..all).for_each(|id| held_back.forget(VassalId(id)));
    assert!(held_back.read.is_empty() && held_back.lives.is_empty());
}
