use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};

use jail::Spec;
use rustix::pipe::{PipeFlags, pipe_with};

use super::*;

const LIMIT: u64 = 1024;
const NOW_MS: u64 = 120_000;

/// One who has asked so many milliseconds ago.
fn visit(uid: u32, ago_ms: u64) -> Visit {
    let since = Moment((NOW_MS - ago_ms) * 1_000_000);
    Visit { ticket: Ticket { id: 1, attempt: 1 }, number: 1, uid, since }
}

fn may(walks: &[Visit], uid: u32, is_master: bool) -> bool {
    UnderWay::count(walks.iter().copied(), visit(uid, 0)).may_be_more(is_master, LIMIT).is_ok()
}

/// Row G8.
#[test]
fn eight_that_are_late_are_all_that_one_user_has() {
    let late = vec![visit(1, LATE_MS + 1); LATE_MAX];
    assert!(may(&late[1..], 1, false) && !may(&late, 1, false));
    assert!(may(&late, 2, false), "it is nobody else's");
    assert!(may(&late, 0, true), "and never root's");
    assert!(may(&[visit(1, LATE_MS); LATE_MAX], 1, false));
}

#[test]
fn two_hundred_and_fifty_six_at_once_are_no_attack() {
    let crowd = vec![visit(1, LATE_MS / 2); 255];
    assert!(may(&crowd, 1, false) && may(&crowd, 2, false));
}

/// Row G8.
#[test]
fn however_many_users_there_are_half_of_the_descriptors_are_left_and_each_newcomer_gets_in() {
    let mut walks = Vec::new();
    for uid in 1..=4 {
        while may(&walks, uid, false) {
            walks.push(visit(uid, 0));
        }
        assert!(may(&walks, uid + 1, false), "after {uid}");
    }
    for uid in 5..LIMIT as u32 {
        while may(&walks, uid, false) {
            walks.push(visit(uid, 0));
        }
    }
    assert_eq!(walks.len() as u64, LIMIT / 2);
    while may(&walks, 0, true) {
        walks.push(visit(0, 0));
    }
    assert_eq!(walks.len() as u64, LIMIT / 4 * 3);
}

/// A walk of this one, and what the child holds of it.
fn walk(who: Walker) -> (Walk, OwnedFd) {
    let (report, childs) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    (Walk { who, plan: jail::plan::plan(&Spec::default()), report }, childs)
}

/// One that has been asked for so many milliseconds ago.
fn session(number: u32, ago_ms: u64) -> (Walk, OwnedFd) {
    walk(Walker::Session(Visit { number, ..visit(1, ago_ms) }, 0))
}

fn numbers(walks: &[Walk]) -> Vec<u32> {
    walks.iter().filter_map(|walk| walk.who.visit()).map(|visit| visit.number).collect()
}

/// Row G8.
#[test]
fn a_session_that_has_not_begun_for_a_minute_is_given_up_and_no_vassal_is() {
    let ticket = Ticket { id: 7, attempt: 1 };
    let vassal = walk(Walker::Vassal(ticket, Reply::Killing(ticket)));
    let ended = session(3, BEGINS_BY_MS);
    let all =
        [vassal, session(1, BEGINS_BY_MS + 1), session(2, BEGINS_BY_MS), ended, session(4, BEGINS_BY_MS - 1)];
    let (mut walks, mut theirs): (Vec<Walk>, Vec<OwnedFd>) = all.into_iter().unzip();
    let now = Moment(NOW_MS * 1_000_000);
    assert_eq!(first_deadline(&walks), Some(Moment((NOW_MS - 1) * 1_000_000)));
    // It runs its program, or has failed; that is about to be heard.
    drop(theirs.remove(3));
    let overdue = end_those_overdue(&mut walks, now);
    assert_eq!((numbers(&overdue), numbers(&walks)), (vec![1, 2], vec![3, 4]));
    assert!(walks[0].who.is(ticket));
    for (walk, number) in overdue.into_iter().zip([1, 2]) {
        let reply = walk.who.failed(ENDED);
        assert!(matches!(&reply, Reply::Entered(of, Err(why)) if *of == number && why.contains("a minute")));
    }
    walks.retain(|walk| walk.who.is(ticket));
    assert_eq!(first_deadline(&walks), None, "nobody waits for a vassal here");
}

/// A process that never says anything, with this as its standard output.
fn sleeper(output: Stdio) -> Child {
    Command::new("sleep").arg("1000000").stdout(output).spawn().expect("a process")
}

fn session_of(child: &Child, report: OwnedFd) -> Walk {
    let who = Walker::Session(visit(1, BEGINS_BY_MS), child.id().cast_signed());
    Walk { who, plan: jail::plan::plan(&Spec::default()), report }
}

/// Row G8.
#[test]
fn whoever_is_given_up_dies_though_it_stands_still() {
    let (report, childs) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    let mut child = sleeper(childs.into());
    rustix::process::kill_process(Pid::from_child(&child), Signal::STOP).expect("a signal");
    assert!(session_of(&child, report).give_up());
    assert_eq!(child.wait().expect("its end").signal(), Some(Signal::KILL.as_raw()));
}

/// The child has ended and was reaped, and somebody else has its number.
#[test]
fn whoever_has_the_number_of_a_walker_that_is_gone_is_not_killed_for_it() {
    let (report, childs) = pipe_with(PipeFlags::CLOEXEC).expect("a pipe");
    drop(childs);
    let mut stranger = sleeper(Stdio::null());
    assert!(!session_of(&stranger, report).give_up(), "its end is yet to be heard");
    // Whichever signal comes first is the one it dies of.
    rustix::process::kill_process(Pid::from_child(&stranger), Signal::TERM).expect("a signal");
    assert_eq!(stranger.wait().expect("its end").signal(), Some(Signal::TERM.as_raw()));
}
