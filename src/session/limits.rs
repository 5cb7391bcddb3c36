//! What a vassal's own config puts on its command: lent by its master, which has read the config and has it all ready, to
//! whoever is about to run something in its jail.
//!
//! It comes on top of what the Emperor knows, as the last thing before a program, and can only take away.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use jail::plan::{Filter, SecureBits, Setting, Step};
use jail::run;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::thread::{capabilities_secure_bits, set_no_new_privs};
use serde::{Deserialize, Serialize};

use crate::errand::perform;
use crate::vassal::trouble::Trouble;

/// How long a master may take, in seconds: it may be in the midst of a hook.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };
/// Longest answer, in bytes: some filters, each as long as the kernel takes them.
const ANSWER_MAX: usize = 1 << 17;
/// Most that are answered in one go.
const ASKS_MAX: usize = 64;

/// What is said of them; their fences come along.
#[derive(Debug, Serialize, Deserialize)]
struct Said {
    filters: Vec<Filter>,
    secure_bits: u32,
}

/// The limits of a command.
#[derive(Debug, Default)]
pub struct Limits {
    filters: Vec<Filter>,
    fences: Vec<OwnedFd>,
    secure_bits: u32,
}

impl Limits {
    /// Asks the master over its channel.
    ///
    /// # Errors
    /// It does not answer, or what it says is none.
    pub fn ask(channel: &OwnedFd) -> Result<Self, Trouble> {
        let cannot = |errno| Trouble::errno("ask the vassal for the limits of its config", errno);
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).map_err(cannot)?;
        run::send(channel, b"?", &[theirs.as_fd()]).map_err(cannot)?;
        drop(theirs);
        let mut watched = [PollFd::new(&ours, PollFlags::IN)];
        if poll(&mut watched, Some(&PATIENCE)).map_err(cannot)? == 0 {
            let trouble = Trouble::new("the vassal does not say what its config puts on its command");
            return Err(trouble.advise("is it stopped, or in the midst of a hook?"));
        }
        let mut buffer = vec![0; ANSWER_MAX];
        let gone = || Trouble::new("its vassal has ended before");
        let parcel = run::receive(&ours, &mut buffer).map_err(cannot)?.ok_or_else(gone)?;
        let said = postcard::from_bytes(&buffer[..parcel.length]);
        let Said { filters, secure_bits } =
            said.map_err(|_| Trouble::new("the vassal says of its limits what makes no sense"))?;
        Ok(Self { filters, fences: parcel.descriptors, secure_bits })
    }

    /// The filters among them.
    pub fn filters(&self) -> &[Filter] {
        &self.filters
    }

    /// Descriptors that are needed until they are put on.
    pub fn kept(&self) -> Vec<RawFd> {
        self.fences.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Puts them on this process, for ever.
    ///
    /// Must: be the last thing before a program is run.
    ///
    /// # Errors
    /// One that cannot be had: then nothing runs.
    pub fn put_on(&self) -> Result<(), Trouble> {
        if self.secure_bits & !secure_bits() != 0 {
            perform(&Step::Set(Setting::SecureBits(SecureBits(self.secure_bits | secure_bits()))))?;
        }
        if self.fences.is_empty() && self.filters.is_empty() {
            return Ok(());
        }
        let cannot = |errno| Trouble::errno("put the limits of its config on", errno);
        // Without it the kernel takes neither from a process that is not root.
        set_no_new_privs(true).map_err(cannot)?;
        self.fences.iter().try_for_each(|fence| run::go_behind(fence.as_fd())).map_err(cannot)?;
        self.filters.iter().try_for_each(run::filter).map_err(cannot)
    }
}

/// What being root is worth for us, and for all that we run.
fn secure_bits() -> u32 {
    capabilities_secure_bits().map_or(0, |bits| bits.bits())
}

/// The end of such a channel that a master has.
#[derive(Debug)]
pub struct Lender(OwnedFd);

impl Lender {
    /// Answers whoever has asked at this end. It never waits.
    pub fn new(channel: OwnedFd) -> Option<Self> {
        rustix::io::ioctl_fionbio(&channel, true).is_ok().then_some(Self(channel))
    }

    /// Tells these limits; false when nobody can ask any more.
    pub fn answer(&self, filters: &[Filter], fences: &[OwnedFd]) -> bool {
        let said = Said { filters: filters.to_vec(), secure_bits: secure_bits() };
        let Ok(bytes) = postcard::to_stdvec(&said) else { return false };
        let lent: Vec<BorrowedFd<'_>> = fences.iter().map(AsFd::as_fd).collect();
        for _ in 0..ASKS_MAX {
            let parcel = match run::receive(&self.0, &mut [0; 1]) {
                Ok(Some(parcel)) => parcel,
                Err(rustix::io::Errno::AGAIN) => return true,
                Ok(None) | Err(_) => return false,
            };
            // Who asks has made it not blocking; one who has gone wants nothing.
            parcel.descriptors.iter().for_each(|asker| _ = run::send(asker, &bytes, &lent));
        }
        true
    }
}

impl AsFd for Lender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel() -> (OwnedFd, OwnedFd) {
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).expect("a pair")
    }

    #[test]
    fn limits_are_told_as_often_as_somebody_asks() {
        let (asks, answers) = channel();
        let lender = Lender::new(answers).expect("a socket");
        let filters = [Filter::standard(), Filter::setid_files()];
        let fence: OwnedFd = std::fs::File::open("/dev/null").expect("there").into();
        let master = std::thread::spawn(move || {
            for _ in 0..2 {
                let mut watched = [PollFd::new(&lender, PollFlags::IN)];
                poll(&mut watched, None).expect("a socket");
                lender.answer(&filters, std::slice::from_ref(&fence));
            }
            lender
        });
        for _ in 0..2 {
            let limits = Limits::ask(&asks).expect("an answer");
            assert_eq!((limits.filters.len(), limits.fences.len()), (2, 1));
            assert_eq!(limits.filters[0].program, Filter::standard().program);
        }
        drop(asks);
        assert!(!master.join().expect("no panic").answer(&[], &[]));
    }

    /// Row N7.
    #[test]
    fn whoever_says_nothing_or_nonsense_lets_nobody_in() {
        let (asks, answers) = channel();
        drop(answers);
        assert!(Limits::ask(&asks).is_err());
        let (asks, answers) = channel();
        let master = std::thread::spawn(move || {
            let parcel = run::receive(&answers, &mut [0; 1]).expect("an ask").expect("an ask");
            run::send(&parcel.descriptors[0], b"\xff\xff\xff", &[]).expect("room");
        });
        assert!(Limits::ask(&asks).is_err());
        master.join().expect("no panic");
    }
}
