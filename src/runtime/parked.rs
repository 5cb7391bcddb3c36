//! The pipes of vassals, as they are read: kept here too, so that whoever reads them can be born again.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Resource, getrlimit};

use crate::keeper::marks::KNOWS_MARKS;
use crate::keeper::words::Stream;

/// All of them.
#[derive(Debug, Default)]
pub struct Parked {
    pipes: BTreeMap<Stream, Pipe>,
    /// How many each user has.
    counts: BTreeMap<u32, u64>,
}

#[derive(Debug)]
struct Pipe {
    reader: OwnedFd,
    uid: u32,
}

/// Whose pipe it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// The Emperor's own.
    Ours(u32),
    /// A tenant's.
    Tenants(u32),
}

impl Whose {
    fn uid(self) -> u32 {
        let (Self::Ours(uid) | Self::Tenants(uid)) = self;
        uid
    }
}

impl Parked {
    /// A new pipe: its end to write.
    ///
    /// # Errors
    /// `EMFILE` where others have more need of the descriptors that are left; those of `pipe2(2)`.
    pub fn lay(&mut self, stream: Stream, whose: Whose) -> Result<OwnedFd, Errno> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let number = u64::from(reader.as_raw_fd().cast_unsigned());
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let uid = whose.uid();
        if !may_have(whose, self.counts.get(&uid).copied().unwrap_or(0), (number, limit)) {
            return Err(Errno::MFILE);
        }
        rustix::io::ioctl_fionbio(&reader, true)?;
        // Whoever holds it in a jail, whatever his ids, can open it by name (`/dev/stderr`) and write, never read.
        fchmod(&writer, Mode::from_raw_mode(KNOWS_MARKS))?;
        self.remove(stream);
        self.pipes.insert(stream, Pipe { reader, uid });
        *self.counts.entry(uid).or_default() += 1;
        Ok(writer)
    }

    /// The end to read.
    pub fn get(&self, stream: Stream) -> Option<BorrowedFd<'_>> {
        self.pipes.get(&stream).map(|pipe| pipe.reader.as_fd())
    }

    /// Those of a vassal, the oldest first.
    pub fn of(&self, vassal: u32) -> Vec<Stream> {
        let range = Stream { vassal, attempt: 0 }..=Stream { vassal, attempt: u32::MAX };
        self.pipes.range(range).map(|(stream, _)| *stream).collect()
    }

    /// All of them.
    pub fn all(&self) -> Vec<Stream> {
        self.pipes.keys().copied().collect()
    }

    /// Closes it here.
    pub fn remove(&mut self, stream: Stream) {
        let Some(pipe) = self.pipes.remove(&stream) else { return };
        let Some(count) = self.counts.get_mut(&pipe.uid) else { return };
        *count -= 1;
        if *count == 0 {
            self.counts.remove(&pipe.uid);
        }
    }

    /// Closes all of them here.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Whether one more is for somebody who has so many. Descriptors get the lowest free number, so that the one of his tells how many
/// are in use. A quarter stays for other matters than these, and a tenant leaves as many as he has to all others.
fn may_have(whose: Whose, has: u64, (number, limit): (u64, u64)) -> bool {
    let most = limit / 4 * 3;
    match whose {
        Whose::Ours(_) => number < most,
        Whose::Tenants(_) => has < most.saturating_sub(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row L6.
    #[test]
    fn no_tenant_takes_the_descriptors_of_all() {
        let limit = 4_000;
        let mut used = 10;
        let mut take = |whose| {
            let mut has = 0;
            while may_have(whose, has, (used, limit)) {
                (has, used) = (has + 1, used + 1);
            }
            has
        };
        assert_eq!(take(Whose::Tenants(7)), 1_495);
        assert_eq!(take(Whose::Tenants(8)), 748);
        assert_eq!(take(Whose::Ours(0)), 747);
        assert_eq!(take(Whose::Tenants(9)), 0, "a quarter is for other matters");
    }

    #[test]
    fn what_is_closed_is_counted_no_more() {
        let (mut parked, whose) = (Parked::default(), Whose::Tenants(7));
        let stream = |attempt| Stream { vassal: 1, attempt };
        parked.lay(stream(1), whose).expect("a pipe");
        parked.lay(stream(2), whose).expect("a pipe");
        assert_eq!((parked.of(1), parked.counts.get(&7)), (vec![stream(1), stream(2)], Some(&2)));
        parked.remove(stream(1));
        parked.remove(stream(1));
        parked.remove(stream(2));
        assert!(parked.counts.is_empty() && parked.get(stream(2)).is_none());
    }
}
