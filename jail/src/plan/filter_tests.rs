//! Runs filters as the kernel would, instruction by instruction.

use super::*;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const EPERM: u32 = libc::SECCOMP_RET_ERRNO | libc::EPERM as u32;
const ENOSYS: u32 = libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32;

fn judge(architecture: u32, number: u32, arguments: [u64; 6]) -> u32 {
    let mut seen = [number.to_ne_bytes(), architecture.to_ne_bytes()].concat();
    seen.extend([0; 8]);
    seen.extend(arguments.iter().flat_map(|one| one.to_ne_bytes()));
    run(Filter::setid_files().program, &seen)
}

fn run(program: &[Instruction], seen: &[u8]) -> u32 {
    let (mut next, mut loaded) = (0, 0);
    loop {
        let Instruction { code, yes, no, operand } = program[next];
        let over = |holds: bool| usize::from(if holds { yes } else { no });
        next += 1;
        match code {
            LOAD => {
                let (from, to) = (operand as usize, operand as usize + 4);
                loaded = u32::from_ne_bytes(seen[from..to].try_into().unwrap());
            }
            EQUAL => next += over(loaded == operand),
            AT_LEAST => next += over(loaded >= operand),
            ANY_BIT => next += over(loaded & operand != 0),
            ANSWER => return operand,
            other => panic!("no instruction of ours: {other:#x}"),
        }
    }
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
