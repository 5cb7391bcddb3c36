//! A message and the process that it came from, which rustix cannot tell when that has no number here.
#![allow(unsafe_code, reason = "system calls")]

use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::null_mut;

use rustix::io::Errno;

use super::answer;

/// Room for the credentials and nothing more: descriptors that come along find none, and the kernel closes them
/// (`CMSG_SPACE` of a `ucred`, aligned as a `cmsghdr`).
const ROOM: usize = 4;
/// Its size in bytes.
const ROOM_BYTES: usize = ROOM * size_of::<u64>();

const _: () =
    assert!(ROOM_BYTES == size_of::<libc::cmsghdr>() + size_of::<libc::ucred>().next_multiple_of(8));

/// What came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message {
    /// Bytes taken.
    pub length: usize,
    /// It was not longer than that.
    pub whole: bool,
    /// The sender's pid, as the kernel vouches for it; 0 where it has none in our pid namespace.
    pub pid: i32,
}

/// The next message of a socket with `SO_PASSCRED`. Never waits.
///
/// # Errors
/// Those of `recvmsg(2)`, `EAGAIN` when there is none.
pub fn receive_with_sender(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> Result<Message, Errno> {
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut room = [0_u64; ROOM];
    // SAFETY: all of its fields are numbers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { MaybeUninit::zeroed().assume_init() };
    (header.msg_name, header.msg_iov, header.msg_iovlen) = (null_mut(), &raw mut part, 1);
    header.msg_control = room.as_mut_ptr().cast();
    header.msg_controllen = ROOM_BYTES as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the kernel writes into `bytes` and `room`, and no more than their lengths say; both outlive the call.
    let result = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, flags) };
    let length = answer(result as libc::c_long)?;
    // SAFETY: the header is as the kernel left it, and `room` is still there.
    let pid = unsafe { sender(&header) };
    let whole = header.msg_flags & libc::MSG_TRUNC == 0;
    Ok(Message { length: usize::try_from(length).unwrap_or(0), whole, pid })
}

/// # Safety
/// `header` was filled by `recvmsg`, and its control buffer is alive.
unsafe fn sender(header: &libc::msghdr) -> i32 {
    // SAFETY: the caller's promise; the first entry is within the buffer, or null.
    let first = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() };
    let is_sender = |entry: &&libc::cmsghdr| {
        entry.cmsg_level == libc::SOL_SOCKET && entry.cmsg_type == libc::SCM_CREDENTIALS
    };
    let Some(entry) = first.filter(is_sender) else { return 0 };
    // SAFETY: an entry of this type holds a `ucred`, whose alignment may be less.
    unsafe { libc::CMSG_DATA(entry).cast::<libc::ucred>().read_unaligned().pid }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    use rustix::net::sockopt::set_socket_passcred;

    use super::*;

    #[test]
    fn a_message_comes_with_its_sender_and_a_long_one_is_known_as_such() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        set_socket_passcred(&ours, true).expect("a socket");
        let mut bytes = [0; 4];
        assert_eq!(receive_with_sender(ours.as_fd(), &mut bytes), Err(Errno::AGAIN));
        theirs.send(b"abc").and_then(|_| theirs.send(b"abcdef")).expect("room");
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let got = receive_with_sender(ours.as_fd(), &mut bytes);
        assert_eq!(got, Ok(Message { length: 3, whole: true, pid }));
        let got = receive_with_sender(ours.as_fd(), &mut bytes);
        assert_eq!(got, Ok(Message { length: 4, whole: false, pid }));
    }

    #[test]
    fn a_descriptor_that_comes_along_is_not_kept() {
        let (ours, theirs) = UnixDatagram::pair().expect("a pair");
        set_socket_passcred(&ours, true).expect("a socket");
        let (reader, writer) = std::io::pipe().expect("a pipe");
        crate::run::send(&theirs, b"x", &[writer.as_fd()]).expect("room");
        drop(writer);
        let mut bytes = [0; 4];
        assert_eq!(receive_with_sender(ours.as_fd(), &mut bytes).map(|got| got.length), Ok(1));
        // The last copy of the writing end is gone.
        assert_eq!(rustix::io::read(&reader, &mut bytes), Ok(0));
    }
}
