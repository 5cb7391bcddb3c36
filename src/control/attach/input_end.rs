//! The end of the input of whoever has no terminal: a terminal has none, so what stands for it is typed, as often as the
//! program takes it for something else, and in the end the session is hung up.

use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer};
use rustix::termios::{LocalModes, SpecialCodeIndex, tcgetattr};

use super::screen::stir;

/// So often it is typed for a program that does not end by it.
const TRIES_MAX: u8 = 32;
/// Whoever shows nothing is looked at after so many seconds, and then after twice as many each time.
const LOOK_S: i64 = 1;

/// Tells of what the program has shown, once somebody wants to know.
#[derive(Debug)]
pub struct Shown {
    wanted: AtomicBool,
    event: OwnedFd,
}

impl Shown {
    /// Nobody wants to know yet.
    ///
    /// # Errors
    /// Those of `eventfd(2)`.
    pub fn new() -> Result<Arc<Self>, Errno> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Self { wanted: AtomicBool::new(false), event }))
    }

    /// It has shown something.
    pub fn tell(&self) {
        if self.wanted.load(Ordering::Acquire) {
            stir(&self.event);
        }
    }

    /// True when it has shown something.
    fn wait(&self, patience_s: i64) -> bool {
        let patience = Timespec { tv_sec: patience_s, tv_nsec: 0 };
        let _ = poll(&mut [PollFd::new(&self.event, PollFlags::IN)], Some(&patience));
        rustix::io::read(&self.event, &mut [0; 8]).is_ok()
    }
}

/// How the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Lines,
    Keys,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Type,
    /// Nobody has read yet what was typed.
    Wait,
    HangUp,
}

/// Types the end until the program has ended. True when the session is to be hung up, false when it is gone.
pub fn say(master: &mut File, shown: &Shown) -> bool {
    shown.wanted.store(true, Ordering::Release);
    let (mut typed, mut tries, mut patience_s) = (None, 0, LOOK_S);
    loop {
        let Ok(modes) = tcgetattr(&*master) else { return false };
        let reads = match modes.local_modes.contains(LocalModes::ICANON) {
            true => Reads::Lines,
            false => Reads::Keys,
        };
        let act = judge((typed, reads), typed.is_some() && is_unread(master), tries);
        match act {
            Act::Wait => {}
            Act::HangUp => return true,
            Act::Type => {
                let keys = keys(reads, modes.special_codes[SpecialCodeIndex::VEOF]);
                if master.write_all(&keys).is_err() {
                    return false;
                }
                (typed, tries, patience_s) = (Some(reads), tries + 1, LOOK_S);
            }
        }
        patience_s = if shown.wait(patience_s) { LOOK_S } else { patience_s.saturating_mul(2) };
    }
}

/// What was typed for one who reads lines is something else for one who reads keys, and the other way round.
fn judge((typed, reads): (Option<Reads>, Reads), is_unread: bool, tries: u8) -> Act {
    let is_new = typed != Some(reads);
    match (is_unread, tries < TRIES_MAX) {
        (false, false) => Act::HangUp,
        (false, true) => Act::Type,
        (true, true) if is_new => Act::Type,
        (true, _) => Act::Wait,
    }
}

/// Twice where lines are read: the first one ends a line that has no end.
fn keys(reads: Reads, end: u8) -> Vec<u8> {
    match reads {
        Reads::Lines => vec![end; 2],
        Reads::Keys => vec![end],
    }
}

/// Whether something is there for the program to read. Where nobody can say, it was read.
fn is_unread(master: &File) -> bool {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let Ok(peer) = ioctl_tiocgptpeer(master, flags) else { return false };
    let mut input = [PollFd::from_borrowed_fd(peer.as_fd(), PollFlags::IN)];
    poll(&mut input, Some(&Timespec::default())).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_typed_again_where_it_was_taken_and_where_it_means_something_else_now() {
        use Reads::{Keys, Lines};
        for (typed, reads, is_unread, tries, act) in [
            (None, Lines, false, 0, Act::Type),
            (None, Keys, false, 0, Act::Type),
            (Some(Lines), Lines, true, 1, Act::Wait),
            (Some(Lines), Lines, false, 1, Act::Type),
            (Some(Lines), Keys, true, 1, Act::Type),
            (Some(Keys), Keys, true, 1, Act::Wait),
            (Some(Keys), Lines, true, TRIES_MAX, Act::Wait),
            (Some(Keys), Keys, false, TRIES_MAX, Act::HangUp),
        ] {
            assert_eq!(
                judge((typed, reads), is_unread, tries),
                act,
                "{typed:?} {reads:?} {is_unread} {tries}"
            );
        }
    }
}
