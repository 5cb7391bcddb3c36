//! A table of descriptors that no other thread has (`CLONE_FILES` of `unshare(2)`).
#![allow(unsafe_code, reason = "system calls")]

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::{answer, close_all_but, is_open};

/// Has this thread go on with a copy of the descriptors of its process, of which it keeps the standard ones and the number
/// `kept`, whose owner in the process stays another one.
///
/// When the thread ends the kernel closes what is in it, and as with a process that ends it waits for nobody
/// (`SO_LINGER` of `socket(7)`).
///
/// Must: be called by a thread that drops no owner of a descriptor that it has from before.
///
/// # Errors
/// `EPERM` under a filter; `ENOSYS` before Linux 5.9; `EBADF`. The thread shall end then.
pub fn own_descriptors(kept: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: a number that this thread has stays what it is.
    answer(unsafe { libc::syscall(libc::SYS_unshare, libc::CLONE_FILES) })?;
    close_all_but(&[kept])?;
    if !is_open(kept) {
        return Err(Errno::BADF);
    }
    // SAFETY: it is open, in a table in which nothing has an owner yet.
    Ok(unsafe { OwnedFd::from_raw_fd(kept) })
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, IntoRawFd};
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    use super::*;

    #[test]
    fn whoever_ends_with_a_socket_of_its_own_waits_for_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut other, _) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        while socket.write(&[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(3600))).unwrap();
        let (way, end) = UnixStream::pair().unwrap();
        let number = end.as_raw_fd();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let one = std::thread::spawn(move || {
            let end = own_descriptors(number).unwrap();
            ready.send(()).unwrap();
            let _ = gone.recv();
            let mut byte = [0];
            let arrived = crate::run::receive(&end, &mut byte).unwrap().unwrap();
            arrived.descriptors.into_iter().for_each(|one| _ = one.into_raw_fd());
        });
        is_ready.recv().unwrap();
        crate::run::send(&way, b"x", &[std::os::fd::AsFd::as_fd(&socket)]).unwrap();
        drop((socket, end));
        drop(go);
        one.join().unwrap();
        // The kernel has the time that it needs to end the thread.
        let mut bytes = vec![0; 1 << 20];
        let end = std::iter::repeat_with(|| other.read(&mut bytes)).find(|read| !matches!(read, Ok(1..)));
        assert!(
            matches!(&end, Some(Ok(0)))
                || end.is_some_and(|end| end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset))
        );
    }
}
