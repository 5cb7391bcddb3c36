//! The end of the log keeper: it is told of all that vassals have written, reads it, and ends.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::LogKeeper;
use crate::emperor::event::Moment;
use crate::reactor::clock;
use crate::runtime::Runtime;
use crate::spawner::client::CROWDED_MS;

/// How long it may take to be told everything when all vassals are gone, and then to read the last lines.
const LAST_WORDS_MS: u64 = 2_000;

impl Runtime {
    /// All vassals are gone: it reads their last words, and ends.
    pub(in crate::runtime) fn dismiss_keeper(&mut self) {
        self.keeper.say_all(clock::now().plus_ms(LAST_WORDS_MS));
        self.keeper.parked.clear();
        let process = self.keeper.pid.and_then(Pid::from_raw);
        let process = process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        self.hang_up_keeper();
        if let Some(process) = process {
            wait(&mut [PollFd::new(&process, PollFlags::IN)], clock::now().plus_ms(LAST_WORDS_MS));
        }
    }
}

impl LogKeeper {
    /// Tells it everything, as long as there is time: a pipe that it has not been lent by then is read by nobody.
    fn say_all(&mut self, until: Moment) {
        while let Ok(more) = self.speak()
            && (more || self.crowded)
            && clock::now() < until
        {
            match &self.channel {
                Some(channel) if more => wait(&mut [PollFd::new(channel, PollFlags::OUT)], until),
                Some(_) => wait(&mut [], until.min(clock::now().plus_ms(CROWDED_MS))),
                None => return,
            }
        }
    }
}

/// Waits for one of these, no longer than until then.
fn wait(what: &mut [PollFd<'_>], until: Moment) {
    let ms = until.ms_since(clock::now());
    let most = Timespec { tv_sec: (ms / 1000).cast_signed(), tv_nsec: (ms % 1000).cast_signed() * 1_000_000 };
    let _ = poll(what, Some(&most));
}

#[cfg(test)]
mod tests {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::super::{MESSAGE_MAX, Untold};
    use super::*;
    use crate::emperor::event::VassalId;

    /// More than fit into its channel.
    const WORDS: u32 = 5_000;

    #[test]
    fn whoever_has_not_heard_everything_is_told_the_rest_before_it_is_left_alone() {
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, theirs) = pair.expect("a pair of sockets");
        rustix::io::ioctl_fionbio(&ours, true).expect("one that never waits");
        let mut keeper = LogKeeper { channel: Some(ours), ..LogKeeper::default() };
        (0..WORDS).for_each(|number| keeper.tell(Untold::Forget(VassalId(number))));
        assert_eq!(keeper.speak(), Ok(true), "there is room for all");
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; MESSAGE_MAX];
            let hear = || jail::run::receive(&theirs, &mut buffer).ok().flatten();
            std::iter::from_fn(hear).count()
        });
        keeper.say_all(clock::now().plus_ms(LAST_WORDS_MS));
        drop(keeper.channel.take());
        assert_eq!(reader.join().expect("it hears"), WORDS as usize);
    }

    #[test]
    fn whoever_takes_nothing_is_not_waited_for_beyond_the_time() {
        let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
        let (ours, _theirs) = pair.expect("a pair of sockets");
        rustix::io::ioctl_fionbio(&ours, true).expect("one that never waits");
        let mut keeper = LogKeeper { channel: Some(ours), ..LogKeeper::default() };
        (0..WORDS).for_each(|number| keeper.tell(Untold::Forget(VassalId(number))));
        let until = clock::now().plus_ms(50);
        keeper.say_all(until);
        assert!(clock::now() >= until && !keeper.untold.is_empty());
    }
}
