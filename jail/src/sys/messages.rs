//! A piece of a stream with all that came along: whoever takes no descriptors has them closed by the kernel, in his own
//! time, which whoever has sent them may make long (`SO_LINGER`).
#![allow(unsafe_code, reason = "system calls")]

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::RecvFlags;

use super::{Credentials, answer};

/// Most descriptors that the kernel lets one message have (`SCM_MAX_FD`).
const DESCRIPTORS_MAX: usize = 253;
/// Room for all of them and for credentials (`CMSG_SPACE` of each), aligned as a `cmsghdr`.
const ROOM: usize = (2 * size_of::<libc::cmsghdr>()
    + (DESCRIPTORS_MAX * size_of::<i32>()).next_multiple_of(8)
    + size_of::<libc::ucred>().next_multiple_of(8))
    / size_of::<u64>();

/// What came.
#[derive(Debug)]
pub struct Arrived {
    /// Bytes taken; none at the end of the stream.
    pub length: usize,
    /// Descriptors that came along, closed on exec.
    pub descriptors: Vec<OwnedFd>,
    /// Who has sent it, if the socket has `SO_PASSCRED` and the kernel knows.
    pub sender: Option<Credentials>,
}

/// The next bytes of a socket. Never waits, and leaves no descriptor to the kernel while numbers are free.
///
/// # Errors
/// Those of `recvmsg(2)`, `EAGAIN` when there is nothing.
pub fn receive_all(socket: BorrowedFd<'_>, bytes: &mut [u8], flags: RecvFlags) -> Result<Arrived, Errno> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut room = [MaybeUninit::<u64>::uninit(); ROOM];
    // SAFETY: all of its fields are numbers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    (header.msg_iov, header.msg_iovlen) = (&raw mut part, 1);
    (header.msg_control, header.msg_controllen) = (room.as_mut_ptr().cast(), size_of_val(&room) as _);
    let flags = flags.bits().cast_signed() | libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes into `bytes` and `room`, and no more than their lengths say; both outlive the call.
    let result = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = usize::try_from(answer(result as libc::c_long)?).unwrap_or(0);
    let mut arrived = Arrived { length, descriptors: Vec::new(), sender: None };
    // SAFETY: the header is as the kernel left it, and `room` is still there.
    unsafe { take_along(&header, &mut arrived) };
    Ok(arrived)
}

/// # Safety
/// `header` was filled by `recvmsg`, its control buffer is alive, and nobody else takes its descriptors.
unsafe fn take_along(header: &libc::msghdr, arrived: &mut Arrived) {
    // SAFETY: the caller's promise; each entry is within the buffer, or null.
    let mut entry = unsafe { libc::CMSG_FIRSTHDR(header) };
    // SAFETY: as above.
    while let Some(one) = unsafe { entry.as_ref() } {
        match (one.cmsg_level, one.cmsg_type) {
            // SAFETY: an entry of this type is a row of numbers that have just been opened for us.
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => unsafe { take_rights(one, &mut arrived.descriptors) },
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) => {
                // SAFETY: an entry of this type holds a `ucred`, whose alignment may be less.
                let sender = unsafe { libc::CMSG_DATA(one).cast::<libc::ucred>().read_unaligned() };
                // Pid 0 is nobody whom the kernel has looked at.
                arrived.sender = (sender.pid != 0).then(|| Credentials::from(sender));
            }
            _ => {}
        }
        // SAFETY: as above.
        entry = unsafe { libc::CMSG_NXTHDR(header, entry) };
    }
}

/// # Safety
/// `entry` is one of `SCM_RIGHTS` within a living buffer.
unsafe fn take_rights(entry: &libc::cmsghdr, descriptors: &mut Vec<OwnedFd>) {
    let head = size_of::<libc::cmsghdr>();
    #[allow(clippy::unnecessary_cast, reason = "it is of another type in musl")]
    let count = (entry.cmsg_len as usize).saturating_sub(head) / size_of::<i32>();
    // SAFETY: that many numbers lie behind the header, and each is a descriptor that is ours alone.
    let take = |index| unsafe {
        OwnedFd::from_raw_fd(libc::CMSG_DATA(entry).cast::<i32>().add(index).read_unaligned())
    };
    descriptors.extend((0..count).map(take));
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::net::sockopt::set_socket_passcred;

    use super::*;

    #[test]
    fn whatever_comes_along_is_taken() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        set_socket_passcred(&ours, true).unwrap();
        let (reader, writer) = std::io::pipe().unwrap();
        crate::run::send(&theirs, b"ab", &[writer.as_fd(), writer.as_fd()]).unwrap();
        crate::run::send(&theirs, b"cd", &[]).unwrap();
        drop(writer);
        let mut bytes = [0; 8];
        let first = receive_all(ours.as_fd(), &mut bytes, RecvFlags::empty()).unwrap();
        assert_eq!((first.length, first.descriptors.len()), (2, 2));
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        assert_eq!(first.sender.map(|sender| sender.pid), Some(pid));
        drop(first);
        assert_eq!(rustix::io::read(&reader, &mut bytes), Ok(0), "all copies are ours");
        let second = receive_all(ours.as_fd(), &mut bytes, RecvFlags::empty()).unwrap();
        assert_eq!((second.length, second.descriptors.len()), (2, 0));
        assert_eq!(receive_all(ours.as_fd(), &mut bytes, RecvFlags::empty()).err(), Some(Errno::AGAIN));
        drop(theirs);
        // A child that another test is about to make may still have a copy.
        let mut end = [PollFd::new(&ours, PollFlags::IN)];
        poll(&mut end, Some(&Timespec { tv_sec: 20, tv_nsec: 0 })).unwrap();
        assert_eq!(receive_all(ours.as_fd(), &mut bytes, RecvFlags::empty()).unwrap().length, 0);
    }
}
