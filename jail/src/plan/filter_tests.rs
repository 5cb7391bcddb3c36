//! Runs filters as the kernel would.

use crate::plan::evaluate::{Call, answer};
use crate::plan::refusals::{NATIVE, OTHER_ABI, Refusal};
use crate::plan::{Answer, Clause, Compare, Relation, Test};

use super::*;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn judge(architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    judged_by(Filter::setid_files().program, architecture, number, arguments)
}

fn judged_by(program: &[Instruction], architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    answer(program, architecture, &Call { number, arguments }).expect("a program of ours")
}

/// A call with this mode, and where it creates, with the flag that says so.
fn call(refusal: &Refusal, mode: u64, flag: u64) -> u32 {
    let mut arguments = [u64::MAX << 32; 6];
    let (mode_at, flag_at) = match refusal.tests {
        [mode] => (mode, None),
        [flags, mode] => (mode, Some(flags)),
        other => panic!("{other:?}"),
    };
    arguments[usize::from(mode_at.argument)] |= mode;
    if let Some(flags) = flag_at {
        arguments[usize::from(flags.argument)] |= flag;
    }
    judge(NATIVE, refusal.number, arguments)
}

#[test]
fn a_mode_with_either_bit_is_refused_and_every_other_one_is_not() {
    for refusal in setid_files().filter(|refusal| !refusal.tests.is_empty()) {
        for mode in 0..0o10000 {
            let wanted = if mode & 0o6000 == 0 { ALLOW } else { EPERM };
            assert_eq!(call(refusal, mode, libc::O_CREAT as u64), wanted, "{refusal:?} {mode:o}");
            assert_eq!(call(refusal, mode, libc::O_TMPFILE as u64), wanted, "{refusal:?} {mode:o}");
        }
    }
}

#[test]
fn a_mode_that_is_not_read_may_be_anything() {
    let opens = setid_files().filter(|refusal| refusal.tests.len() == 2);
    for refusal in opens {
        for flags in [0, libc::O_RDWR | libc::O_TRUNC, libc::O_DIRECTORY | libc::O_CLOEXEC, libc::O_PATH] {
            assert_eq!(call(refusal, 0o6755, flags.unsigned_abs().into()), ALLOW, "{refusal:?} {flags:o}");
        }
    }
}

#[test]
fn what_hides_its_mode_is_unknown() {
    for number in [libc::SYS_openat2, libc::SYS_io_uring_setup, libc::SYS_io_uring_enter] {
        assert_eq!(judge(NATIVE, number as u32, [0; 6]), ENOSYS);
    }
}

#[test]
fn every_other_call_is_allowed_whatever_its_arguments() {
    let known: Vec<u32> = setid_files().map(|refusal| refusal.number).collect();
    for number in (0..0x1000).filter(|number| !known.contains(number)) {
        assert_eq!(judge(NATIVE, number, [u64::MAX; 6]), ALLOW, "{number}");
    }
}

#[test]
fn other_doors_into_the_kernel_are_closed() {
    for foreign in [0x4000_0003, 0x4000_0028, NATIVE ^ 1, 0] {
        assert_eq!(judge(foreign, 1, [0; 6]), libc::SECCOMP_RET_KILL_PROCESS);
    }
    if let Some(first) = OTHER_ABI {
        for number in [first, first | 90, u32::MAX] {
            assert_eq!(judge(NATIVE, number, [0; 6]), ENOSYS);
        }
    }
}

const EAFNOSUPPORT: u32 = libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32;
const EPROTONOSUPPORT: u32 = libc::SECCOMP_RET_ERRNO | libc::EPROTONOSUPPORT as u32;
/// What nobody looks at in a register.
const HIGH: u64 = 0xdead_beef << 32;

fn ask(filter: Filter, number: libc::c_long, arguments: &[u64]) -> u32 {
    let mut all = [HIGH; 6];
    arguments.iter().zip(&mut all).for_each(|(given, register)| *register = *given);
    judged_by(filter.program, NATIVE, number as u32, all)
}

/// With and without a bit in the high half: the kernel sees no difference, neither may we.
fn same(filter: Filter, number: libc::c_long, arguments: &[u64]) -> u32 {
    let plain = ask(filter, number, arguments);
    let marked: Vec<u64> = arguments.iter().map(|one| one | HIGH).collect();
    assert_eq!(ask(filter, number, &marked), plain, "{number} {arguments:x?}");
    plain
}

#[test]
fn everything_in_the_tables_is_refused_by_the_default_and_nothing_else_without_arguments() {
    let refused: Vec<u32> = always().chain(roots()).chain(setid_files()).map(|row| row.number).collect();
    for number in 0..0x1000 {
        let answer = judged_by(Filter::standard().program, NATIVE, number, [0; 6]);
        let unconditional = always().chain(roots()).chain(setid_files());
        let unconditional = unconditional.filter(|row| row.number == number && row.tests.is_empty());
        match unconditional.map(|row| Answer::errno(row.errno).0).next() {
            Some(errno) => assert_eq!(answer, errno, "{number}"),
            None => assert_eq!(answer, ALLOW, "{number} {}", refused.contains(&number)),
        }
    }
}

#[test]
fn the_default_refuses_what_root_may_and_what_comes_after_root_is_the_difference() {
    for number in 0..0x1000_i64 {
        for argument in [0, 1, 0x80, 0x2_0000, 0x1000_0000, 0x7e02_0000, u64::MAX] {
            let both = [Filter::of_root(), Filter::after_root()].map(|one| ask(one, number, &[argument; 6]));
            // Of several filters the kernel takes the strictest answer.
            let strictest = both.into_iter().find(|answer| *answer != ALLOW).unwrap_or(ALLOW);
            assert_eq!(ask(Filter::standard(), number, &[argument; 6]), strictest, "{number} {argument:x}");
        }
    }
}

#[test]
fn only_families_that_programs_need_have_sockets() {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    for family in 1..64 {
        let wanted = if families.contains(&family) { ALLOW } else { EAFNOSUPPORT };
        for number in [libc::SYS_socket, libc::SYS_socketpair] {
            assert_eq!(same(Filter::standard(), number, &[family as u64, 1, 0]), wanted, "{family}");
        }
    }
    let netlink = |filter, protocol: i32| same(filter, libc::SYS_socket, &[16, 3, protocol as u64]);
    assert_eq!(netlink(Filter::standard(), libc::NETLINK_ROUTE), ALLOW);
    for protocol in [libc::NETLINK_NETFILTER, libc::NETLINK_XFRM] {
        assert_eq!(netlink(Filter::standard(), protocol), EPROTONOSUPPORT);
        assert_eq!(netlink(Filter::of_root(), protocol), ALLOW);
    }
}

#[test]
fn nobody_types_into_a_terminal_whatever_stands_in_the_high_half() {
    for command in [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD] {
        for filter in [Filter::standard(), Filter::of_root()] {
            assert_eq!(same(filter, libc::SYS_ioctl, &[0, command, 0]), EPERM);
        }
        assert_eq!(same(Filter::standard(), libc::SYS_ioctl, &[command, 0, command]), ALLOW);
    }
    for command in [libc::TIOCGWINSZ, libc::TIOCSWINSZ, libc::TIOCSCTTY, libc::TCGETS, libc::FIONREAD] {
        assert_eq!(same(Filter::standard(), libc::SYS_ioctl, &[0, command, 0]), ALLOW);
    }
}

#[test]
fn threads_and_processes_are_made_and_namespaces_are_not() {
    let thread = 0x003d_0f00;
    for flags in [libc::SIGCHLD as u64, thread, 0x0120_0011, 0x4111] {
        assert_eq!(same(Filter::standard(), libc::SYS_clone, &[flags]), ALLOW, "{flags:x}");
    }
    for flag in [libc::CLONE_FILES, libc::CLONE_FS, libc::CLONE_SYSVSEM] {
        assert_eq!(same(Filter::standard(), libc::SYS_unshare, &[flag as u64]), ALLOW);
    }
    let new = |bit: u32| 1_u64 << bit;
    for bit in [7, 17, 25, 26, 27, 28, 29, 30] {
        assert_eq!(same(Filter::standard(), libc::SYS_unshare, &[new(bit)]), EPERM, "{bit}");
        // A user namespace among them: its master goes into one to be root no more.
        assert_eq!(same(Filter::of_root(), libc::SYS_unshare, &[new(bit)]), ALLOW);
        assert_eq!(same(Filter::after_root(), libc::SYS_unshare, &[new(bit)]), EPERM, "{bit}");
        if bit > 7 {
            assert_eq!(same(Filter::standard(), libc::SYS_clone, &[new(bit) | 17]), EPERM, "{bit}");
        }
    }
    assert_eq!(ask(Filter::of_root(), libc::SYS_clone3, &[]), ENOSYS);
}

#[test]
fn a_personality_is_asked_for_and_only_harmless_ones_are_taken() {
    for harmless in [0, 8, 0x2_0000, 0x2_0008, 0x4_0000, 0xffff_ffff] {
        assert_eq!(same(Filter::standard(), libc::SYS_personality, &[harmless]), ALLOW);
    }
    for odd in [1, 6, 0x10, 0x10_0000, 0x40_0000, 0xffff_fffe] {
        assert_eq!(same(Filter::standard(), libc::SYS_personality, &[odd]), EPERM);
    }
}

/// A program whose only call asks one question of its first argument.
fn asked(compare: Compare) -> Vec<Instruction> {
    let tests = vec![Test { argument: 0, compare }].into();
    let calls = [(7, vec![Clause { tests, answer: Answer::KILL }])].into();
    assemble(&Rules { otherwise: Answer::ALLOW, calls, newer: Answer::ALLOW })
}

#[test]
fn comparisons_are_those_of_numbers() {
    let numbers = [0, 1, 5, 6, 0xffff_ffff, 1 << 32, (1 << 32) + 5, (1 << 32) + 6, 7 << 32, u64::MAX];
    type Holds = fn(u64, u64) -> bool;
    let relations: [(Relation, Holds); 6] = [
        (Relation::Equal, |a, b| a == b),
        (Relation::NotEqual, |a, b| a != b),
        (Relation::Greater, |a, b| a > b),
        (Relation::AtLeast, |a, b| a >= b),
        (Relation::Less, |a, b| a < b),
        (Relation::AtMost, |a, b| a <= b),
    ];
    let killed = |program: &[Instruction], seen| {
        judged_by(program, NATIVE, 7, [seen, 0, 0, 0, 0, 0]) == Answer::KILL.0
    };
    for (relation, holds) in relations {
        for (value, seen) in numbers.iter().flat_map(|one| numbers.map(|other| (*one, other))) {
            let whole = asked(Compare::Whole(relation, value));
            assert_eq!(killed(&whole, seen), holds(seen, value), "{seen:x} {relation:?} {value:x}");
            let low = asked(Compare::Low(relation, value as u32));
            let half = |number| number & 0xffff_ffff;
            assert_eq!(killed(&low, seen), holds(half(seen), half(value)), "{seen:x} {relation:?} {value:x}");
            let masked = asked(Compare::Masked { mask: value, value: value & 5 });
            assert_eq!(killed(&masked, seen), seen & value == value & 5, "{seen:x} & {value:x}");
        }
    }
}

#[test]
fn all_tests_of_a_clause_have_to_hold_and_the_first_clause_that_holds_decides() {
    let test = |argument, value| Test { argument, compare: Compare::Whole(Relation::Equal, value) };
    let clause = |tests: Vec<Test>, answer| Clause { tests: tests.into(), answer };
    let clauses = vec![
        clause(vec![test(0, 1), test(5, 2)], Answer::errno(1)),
        clause(vec![test(0, 1)], Answer::errno(2)),
        clause(vec![test(1, 1 << 40)], Answer::ALLOW),
    ];
    let rules = Rules { otherwise: Answer::KILL, calls: [(3, clauses)].into(), newer: Answer::errno(38) };
    let program = assemble(&rules);
    let judge =
        |number, first, second, last| judged_by(&program, NATIVE, number, [first, second, 0, 0, 0, last]);
    assert_eq!(judge(3, 1, 0, 2), Answer::errno(1).0);
    assert_eq!(judge(3, 1, 0, 3), Answer::errno(2).0);
    assert_eq!(judge(3, 0, 1 << 40, 2), ALLOW);
    assert_eq!(judge(3, 0, 1, 2), Answer::KILL.0);
    assert_eq!((judge(2, 1, 1, 2), judge(4, 1, 1, 2)), (Answer::KILL.0, ENOSYS));
}

#[test]
fn a_filter_may_be_longer_than_a_jump() {
    let clause = |number: u32| {
        let compare = Compare::Whole(Relation::Equal, u64::from(number) << 33);
        Clause { tests: vec![Test { argument: 2, compare }].into(), answer: Answer::errno(1) }
    };
    let calls = (0..400).map(|number| (2 * number, vec![clause(number)])).collect();
    let program = compile(&Rules { otherwise: Answer::ALLOW, calls, newer: Answer::KILL }).unwrap();
    for number in 0..798 {
        let equal = [0, 0, u64::from(number / 2) << 33, 0, 0, 0];
        let wanted = if number % 2 == 0 { Answer::errno(1).0 } else { ALLOW };
        assert_eq!(judged_by(&program, NATIVE, number, equal), wanted, "{number}");
        assert_eq!(judged_by(&program, NATIVE, number, [1; 6]), ALLOW, "{number}");
    }
    assert_eq!(judged_by(&program, NATIVE, 799, [1; 6]), Answer::KILL.0);
}
