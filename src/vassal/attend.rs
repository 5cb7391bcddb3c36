//! What a vassal waits for, and what it does by itself about what has happened.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;

use super::control::Word;
use super::handover::Served;
use super::proxy::Proxy;
use super::state::Vassal;
use super::trouble::Trouble;
use super::watch::{Happening, now};
use crate::emperor::event::Moment;
use crate::emperor::order::to_vassal::LEND_LIMITS;

/// How long nobody is greeted for whom there was no descriptor, in ms: nothing tells when one is free again.
const REST_MS: u64 = 1_000;

impl Vassal {
    /// From this moment on, nothing is waited for any more.
    pub fn end_by(&mut self, moment: Option<Moment>) {
        self.ends_at = moment;
    }

    /// Waits for the next thing that happens, at most `timeout`.
    ///
    /// # Errors
    /// Those of `poll(2)`; all should be over by now.
    pub fn next(&mut self, timeout: Option<Duration>) -> Result<Happening, Trouble> {
        self.next_beside(timeout, None)
    }

    /// The same, also for this descriptor: `Other` is not told before all else that happened.
    ///
    /// # Errors
    /// As above.
    pub fn next_beside(
        &mut self,
        timeout: Option<Duration>,
        other: Option<PollFd<'_>>,
    ) -> Result<Happening, Trouble> {
        let until = |moment: Moment| Duration::from_nanos(moment.0.saturating_sub(now().0));
        let (left, rest) = (self.ends_at.map(until), self.rests_until.map(until));
        if left == Some(Duration::ZERO) {
            return Err(Trouble::new("it takes too long"));
        }
        let timeout = timeout.into_iter().chain(left).chain(rest).min();
        let counted = self.backlog.as_ref().map(|backlog| backlog.watched(&self.sockets)).unwrap_or_default();
        let sockets = counted.len();
        let served = self.served.iter().filter(|_| rest.is_none());
        let served = served.map(|served| PollFd::from_borrowed_fd(served.as_fd(), PollFlags::IN));
        let notified = self.notified.iter();
        let notified = notified.map(|one| PollFd::from_borrowed_fd(one.as_fd(), PollFlags::IN));
        let proxy = self.proxy.iter().filter(|proxy| rest.is_none() || proxy.is_taken());
        let proxy = proxy.map(|proxy| PollFd::from_borrowed_fd(proxy.watched(), PollFlags::IN));
        let daemons = self.daemons.watched();
        let lender = self.confinement.lender();
        let lender = lender.into_iter().map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
        let mut others: Vec<PollFd<'_>> = counted
            .into_iter()
            .chain(served)
            .chain(notified)
            .chain(proxy)
            .chain(daemons)
            .chain(lender)
            .chain(other)
            .collect();
        let happening = self
            .watch
            .next(self.control.as_ref(), &mut others, timeout)
            .map_err(|errno| Trouble::errno("wait", errno))?;
        let ready: Vec<PollFlags> = others[..sockets].iter().map(PollFd::revents).collect();
        let happening = self.rested(happening);
        Ok(self.attended(happening, &ready))
    }

    /// Does what is ours to do about it, and tells the rest. `ready`: what those who wait at our sockets were found at.
    fn attended(&mut self, happening: Happening, ready: &[PollFlags]) -> Happening {
        match happening {
            Happening::Other => {
                self.serve();
                self.confinement.lend();
                self.backlog.iter_mut().for_each(|backlog| backlog.notice(ready));
                self.notified.iter().for_each(|notified| notified.hear(&mut self.heard));
                self.daemons.look();
                Happening::Other
            }
            Happening::Emperor(Word::Byte(LEND_LIMITS, channel)) => {
                self.confinement.lend_by(channel);
                Happening::Other
            }
            Happening::Emperor(Word::Byte(byte, parcel)) => {
                self.daemons.take(byte);
                Happening::Emperor(Word::Byte(byte, parcel))
            }
            Happening::Emperor(Word::End) => {
                // A stream that has ended would be ready for ever.
                self.control = None;
                Happening::Emperor(Word::End)
            }
            other => other,
        }
    }

    /// Waits for signals and for one descriptor alone: in a process of ours that minds nothing else.
    ///
    /// # Errors
    /// Those of `poll(2)`.
    pub fn wait_alone<'a>(
        &'a self,
        other: &mut [PollFd<'a>],
        timeout: Option<Duration>,
    ) -> Result<Happening, Errno> {
        self.watch.next(None, other, timeout)
    }

    /// The descriptor that tells of signals.
    pub fn signals(&self) -> BorrowedFd<'_> {
        self.watch.as_fd()
    }

    /// The end of a rest is nobody's deadline: clients are looked for again.
    fn rested(&self, happening: Happening) -> Happening {
        let is_over = self.rests_until.is_some_and(|until| until <= now());
        if is_over && matches!(happening, Happening::Deadline) { Happening::Other } else { happening }
    }

    /// Answers whoever has connected. Where there is no descriptor for somebody, his socket stays ready: without a rest we
    /// would do nothing else.
    fn serve(&mut self) {
        let served = self.served.iter().map(Served::answer);
        let all = served.chain(self.proxy.iter_mut().map(Proxy::hear)).fold(true, |all, one| all & one);
        self.rests_until = (!all).then(|| now().plus_ms(REST_MS));
    }
}
