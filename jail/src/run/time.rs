//! A time namespace of our own (`time_namespaces(7)`), entered by ourselves and not by our children alone.

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::write;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use std::os::fd::AsFd;

use crate::plan::{ClockOffset, Failure, Namespaces};
use crate::sys;

/// Makes one, sets its clocks, and goes into it.
///
/// Must: be done by a process that shares its memory with nobody.
pub(super) fn enter(offsets: &[ClockOffset]) -> Result<(), Failure> {
    sys::unshare(Namespaces::TIME)?;
    if !offsets.is_empty() {
        set(offsets)?;
    }
    let made =
        openat(CWD, c"/proc/self/ns/time_for_children", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    Ok(move_into_link_name_space(made.as_fd(), Some(LinkNameSpaceType::Time))?)
}

/// All at once: the kernel takes them as long as nobody has entered.
fn set(offsets: &[ClockOffset]) -> Result<(), Failure> {
    let text: String =
        offsets.iter().map(|one| format!("{} {} 0\n", one.clock.name(), one.seconds)).collect();
    let file = openat(CWD, c"/proc/self/timens_offsets", OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    write(&file, text.as_bytes())?;
    Ok(())
}
