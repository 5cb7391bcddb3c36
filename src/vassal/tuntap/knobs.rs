//! What the kernel is told of version 6 on a device. A `/proc` that cannot be written to, or that is none, changes nothing:
//! the device has no address of its own making anyway.

use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat};
use rustix::io::{Errno, write};

/// Advertisements of routers are not listened to.
const DEAF: [(&str, &str); 2] = [("accept_ra", "0"), ("autoconf", "0")];

/// Nobody configures this device but its vassal; without an address of version 6 that is off there.
pub fn set(device: &str, has_v6: bool) {
    let off = ("disable_ipv6", "1");
    for (knob, value) in DEAF.into_iter().chain((!has_v6).then_some(off)) {
        // See above.
        let _ = turn(device, knob, value);
    }
}

fn turn(device: &str, knob: &str, value: &str) -> Result<(), Errno> {
    let path = format!("/proc/sys/net/ipv6/conf/{device}/{knob}");
    let file = openat(CWD, path, OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW, Mode::empty())?;
    if fstatfs(&file)?.f_type as u64 != PROC_SUPER_MAGIC as u64 {
        return Err(Errno::INVAL);
    }
    write(&file, value.as_bytes()).map(|_| ())
}
