//! What a unix socket is asked and told that rustix has no function for.
#![allow(unsafe_code, reason = "system calls")]

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

use super::answer;

/// Since Linux 6.16; the same number on every architecture that we run on (`asm-generic/socket.h`).
const SO_PASSRIGHTS: libc::c_int = 83;

/// Memory of what was sent and not read yet, in bytes and more than those sent; 0 when all was read (`SIOCOUTQ`).
///
/// # Errors
/// `ENOTTY` for anything but a socket.
pub fn unread(socket: BorrowedFd<'_>) -> Result<usize, Errno> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one int.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    answer(result.into()).map(|_| usize::try_from(bytes).unwrap_or(0))
}

/// A process, as our namespaces see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its number; 0 where it has none in our pid namespace.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

impl From<libc::ucred> for Credentials {
    fn from(libc::ucred { pid, uid, gid }: libc::ucred) -> Self {
        Self { pid, uid, gid }
    }
}

/// User id of whoever is at the other end, as our user namespace sees it (`SO_PEERCRED`): who listened, or who connected.
/// Where he is in another pid namespace he has no number, but a user he is all the same.
///
/// # Errors
/// `ENOTSOCK`, `ENOTCONN`.
pub fn peer_uid(socket: BorrowedFd<'_>) -> Result<u32, Errno> {
    peer(socket).map(|peer| peer.uid)
}

/// Whoever is at the other end, as `peer_uid` tells its user.
///
/// # Errors
/// `ENOTSOCK`, `ENOTCONN`.
pub fn peer(socket: BorrowedFd<'_>) -> Result<Credentials, Errno> {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PEERCRED);
    // SAFETY: the kernel writes at most `size` bytes, which are those of `peer`.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut peer).cast(), &raw mut size) };
    answer(result.into()).map(|_| peer.into())
}

/// Whoever sends descriptors to this socket is refused (`EPERM`).
///
/// Closing the last copy of a descriptor may wait for as long as its former owner likes (`SO_LINGER`), and one that
/// nobody takes is closed by whoever reads the byte that it came with.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.16.
pub fn refuse_rights(socket: BorrowedFd<'_>) -> Result<(), Errno> {
    let off: libc::c_int = 0;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the kernel reads one int.
    let result = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_PASSRIGHTS, (&raw const off).cast(), size)
    };
    answer(result.into()).map(|_| ())
}

/// Where a look (`MSG_PEEK`) begins: behind so many bytes, and each further one where the last one has ended (`SO_PEEK_OFF`);
/// `None`: at what is read next, as ever.
///
/// # Errors
/// `EOPNOTSUPP` for a socket that has no such place.
pub fn look_from(socket: BorrowedFd<'_>, place: Option<usize>) -> Result<(), Errno> {
    let place = place.map_or(Ok(-1), libc::c_int::try_from).map_err(|_| Errno::INVAL)?;
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_PEEK_OFF);
    // SAFETY: the kernel reads one int.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const place).cast(), size) };
    answer(result.into()).map(|_| ())
}

/// Connections that wait to be accepted at a TCP socket that listens (`TCP_INFO` of `tcp(7)`).
///
/// # Errors
/// `EOPNOTSUPP` for another kind of socket.
pub fn tcp_backlog(socket: BorrowedFd<'_>) -> Result<u32, Errno> {
    // SAFETY: all of it are numbers, for which zeros are a value.
    let mut seen: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut size = size_of::<libc::tcp_info>() as libc::socklen_t;
    let (level, name) = (libc::IPPROTO_TCP, libc::TCP_INFO);
    // SAFETY: the kernel writes at most `size` bytes, which are those of `seen`.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, name, (&raw mut seen).cast(), &raw mut size) };
    answer(result.into()).map(|_| seen.tcpi_unacked)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use rustix::net::{RecvFlags, recv};

    use super::*;

    #[test]
    fn what_was_read_is_not_unread() {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        assert_eq!(unread(here.as_fd()), Ok(0));
        here.write_all(b"x").unwrap();
        assert_ne!(unread(here.as_fd()), Ok(0));
        there.read_exact(&mut [0]).unwrap();
        assert_eq!(unread(here.as_fd()), Ok(0));
    }

    #[test]
    fn a_look_goes_on_where_the_last_one_ended_and_takes_nothing() {
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(b"abcdef").unwrap();
        let look = || {
            let mut byte = [0; 2];
            recv(&here, &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT).map(|_| byte)
        };
        look_from(here.as_fd(), Some(1)).unwrap();
        assert_eq!((look(), look()), (Ok(*b"bc"), Ok(*b"de")));
        look_from(here.as_fd(), None).unwrap();
        assert_eq!((look(), look()), (Ok(*b"ab"), Ok(*b"ab")));
    }

    #[test]
    fn descriptors_are_refused_and_bytes_are_not() {
        let (here, there) = UnixStream::pair().unwrap();
        if refuse_rights(here.as_fd()) == Err(Errno::NOPROTOOPT) {
            eprintln!("skipped: this kernel cannot refuse descriptors");
            return;
        }
        assert_eq!(crate::run::send(&there, b"x", &[there.as_fd()]), Err(Errno::PERM));
        assert_eq!(crate::run::send(&there, b"x", &[]), Ok(()));
    }
}
