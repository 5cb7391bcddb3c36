//! The loopback device of a fresh network namespace.

use rustix::io::Errno;

/// Brings `lo` up in the network namespace of this thread; the kernel then gives it its addresses.
///
/// # Errors
/// `EPERM` without CAP_NET_ADMIN over that namespace.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    super::interface("lo", true)
}
