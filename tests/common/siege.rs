//! A tenant who exchanges names for links, as fast as he can, while root works on them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// Whoever does not lose within this time is never hit.
const PATIENCE: Duration = Duration::from_secs(40);

/// How often the attacker meets root at least; another number where the variable `LIEGE_RACES` says so.
pub fn races(usual: usize) -> usize {
    std::env::var("LIEGE_RACES").map_or(usual, |races| races.parse().expect("LIEGE_RACES is a number"))
}

/// Two names that change places.
pub type Pair = (PathBuf, PathBuf);

/// Does this while the names of each pair change places, again and again.
pub fn besieged<T>(pairs: &[Pair], deed: impl FnOnce() -> T) -> T {
    let (stop, swaps) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| exchange(pairs, &stop, &swaps));
        // Also when the deed fails: else nobody would ever hear of it.
        let stopped = Stop(&stop);
        let done = deed();
        drop(stopped);
        assert!(swaps.load(Ordering::Relaxed) > 0, "nothing was exchanged");
        done
    })
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn exchange(pairs: &[Pair], stop: &AtomicBool, swaps: &AtomicUsize) {
    while !stop.load(Ordering::Relaxed) {
        for (one, other) in pairs {
            renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
            swaps.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whether somebody who looks first and then writes by name hits what is the victim's, sooner or later.
pub fn careless_hits(file: &Path, victim: &Path) -> bool {
    let link = file.with_extension("trap");
    std::fs::write(file, "").unwrap();
    std::os::unix::fs::symlink(victim, &link).unwrap();
    let before = std::fs::read(victim).unwrap();
    let end = Instant::now() + PATIENCE;
    besieged(&[(file.into(), link)], || {
        while Instant::now() < end {
            let is_file = std::fs::symlink_metadata(file).is_ok_and(|found| found.is_file());
            // On a busy machine the attacker may have no turn between the two for long.
            std::thread::yield_now();
            if is_file && std::fs::write(file, "owned").is_ok() && std::fs::read(victim).unwrap() != before {
                return true;
            }
        }
        false
    })
}
