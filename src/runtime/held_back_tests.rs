use super::*;
use crate::emperor::Emperor;
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
    assert!(held_back.0.is_empty());
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
    assert!(held_back.0.is_empty());
    let mut snapshot = Emperor::new(Policy::default()).snapshot();
    held_back.add(&mut snapshot, None);
    assert!(snapshot.vassals.is_empty());
}
