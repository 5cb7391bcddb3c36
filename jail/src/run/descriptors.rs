//! Which descriptors a program gets: those that are listed, and no other.

use std::os::fd::{IntoRawFd, RawFd};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

use crate::plan::{Failure, errno_name};
use crate::sys;

/// Linux lets no process have a higher one by default (`fs.nr_open`).
const DESCRIPTOR_MAX: RawFd = 1 << 20;

/// Descriptors of our own that must survive [`arrange`], as (number in the plan, number now).
#[derive(Debug, Default)]
pub(crate) struct Held(Vec<(RawFd, RawFd)>);

impl Held {
    pub(super) fn new(descriptors: impl Iterator<Item = RawFd>) -> Self {
        Self(descriptors.map(|fd| (fd, fd)).collect())
    }

    pub(super) fn add(&mut self, fd: RawFd) {
        self.0.push((fd, fd));
    }

    /// Where a descriptor is now.
    pub(super) fn now(&self, fd: RawFd) -> RawFd {
        self.0.iter().find(|(planned, _)| *planned == fd).map_or(fd, |(_, now)| *now)
    }

    /// Out of the way of what the program will get.
    fn lift(&mut self, above: RawFd) -> Result<(), Failure> {
        self.0.iter_mut().try_for_each(|(_, now)| {
            *now = lifted(*now, above)?;
            Ok(())
        })
    }
}

/// Puts every `here` of `list` to its `there`, `/dev/null` to those of 0, 1 and 2 that are not listed, and closes
/// all others but the held ones, which exec closes.
///
/// Everything is copied out of the way first: one's `there` may be another's `here`.
pub(super) fn arrange(list: &[(RawFd, RawFd)], held: &mut Held) -> Result<(), Failure> {
    let above = above_all(list)?;
    held.lift(above)?;
    let mut copies = list
        .iter()
        .map(|(here, there)| Ok((lifted(*here, above)?, *there)))
        .collect::<Result<Vec<_>, Failure>>()?;
    add_null(&mut copies, above)?;
    for (copy, there) in &copies {
        sys::duplicate_to(*copy, *there)?;
    }
    let mut kept: Vec<RawFd> =
        copies.iter().map(|(_, there)| *there).chain(held.0.iter().map(|(_, now)| *now)).collect();
    kept.sort_unstable();
    kept.dedup();
    close_all_but(&kept)
}

/// The lowest number, at least 3, above everything that the program will get.
fn above_all(list: &[(RawFd, RawFd)]) -> Result<RawFd, Failure> {
    let possible = list.iter().all(|(_, there)| (0..DESCRIPTOR_MAX).contains(there));
    let highest = list.iter().map(|(_, there)| *there).max().unwrap_or(0);
    if possible {
        Ok((highest + 1).max(3))
    } else {
        Err("no program can be given a descriptor of that number".into())
    }
}

fn lifted(fd: RawFd, above: RawFd) -> Result<RawFd, Failure> {
    let named = |errno: Errno| Failure { detail: format!("descriptor {fd}"), ..Failure::from(errno) };
    sys::duplicate_above(fd, above).map_err(named)
}

fn add_null(copies: &mut Vec<(RawFd, RawFd)>, above: RawFd) -> Result<(), Failure> {
    let missing: Vec<RawFd> =
        (0..3).filter(|wanted| copies.iter().all(|(_, there)| there != wanted)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let null = null()?.into_raw_fd();
    for there in missing {
        copies.push((lifted(null, above)?, there));
    }
    Ok(())
}

fn null() -> Result<std::os::fd::OwnedFd, Failure> {
    let named =
        |errno: Errno| Failure::from(format!("/dev/null: {}", errno_name(errno.raw_os_error())).as_str());
    open(c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY, Mode::empty()).map_err(named)
}

/// Closes every descriptor that is not in `kept`, which is sorted and names none twice.
pub(super) fn close_all_but(kept: &[RawFd]) -> Result<(), Failure> {
    let mut next = 0_u32;
    for fd in kept.iter().filter_map(|fd| u32::try_from(*fd).ok()) {
        if next < fd {
            sys::close_range(next, fd - 1)?;
        }
        next = fd + 1;
    }
    Ok(sys::close_range(next, u32::MAX)?)
}

/// Opens `/dev/null` wherever this process was started without its descriptor 0, 1 or 2, so that nothing opened
/// later takes their place.
///
/// Must: be called before anything is opened.
///
/// # Errors
/// `/dev/null` cannot be opened.
pub fn open_standard_descriptors() -> Result<(), Failure> {
    while let Some(missing) = (0..3).find(|fd| !sys::is_open(*fd)) {
        let opened = null()?.into_raw_fd();
        if opened != missing {
            return Err(Failure::from(Errno::BADF));
        }
        // Kept over exec, as 0, 1 and 2 always are.
        let copy = sys::duplicate_above(opened, 3)?;
        sys::duplicate_to(copy, missing)?;
        sys::close_range(copy.unsigned_abs(), copy.unsigned_abs())?;
    }
    Ok(())
}
