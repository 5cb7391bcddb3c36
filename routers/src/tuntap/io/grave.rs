//! Sockets that tenants have had a hand in end with a thread that has them to itself: whoever closes the last copy of a socket, or
//! of what lies in it, may wait for as long as its former owner likes (`SO_LINGER`), but the kernel lets nobody who ends wait.

use std::os::fd::{AsFd, AsRawFd, IntoRawFd, OwnedFd};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, scope, sleep};
use std::time::Duration;

use jail::sys::{own_descriptors, receive_all};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::socket_type;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, socketpair};

/// Sockets that one thread takes with it.
const TAKEN_MAX: usize = 256;
/// Until another thread is tried where there was none to be had.
const REST: Duration = Duration::from_millis(20);
const STACK: usize = 128 * 1024;

/// The way into it.
#[derive(Debug)]
pub(super) struct Grave {
    way: OwnedFd,
    /// Held until a socket that was sent is ours no more: nobody ends before with the only other copy.
    letting_go: Arc<Mutex<()>>,
}

/// Both ends of the way into a grave that is still to be made: a filter may keep us from making them later.
///
/// # Errors
/// Those of `socketpair(2)`.
pub(super) fn ends() -> Result<(OwnedFd, OwnedFd), Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

impl Grave {
    /// None where the kernel gives no thread descriptors of its own.
    ///
    /// Must: be made before there is any descriptor of a tenant: its threads would close those too, one by one, and a file of
    /// somebody's program (FUSE) may wait.
    pub(super) fn new((way, end): (OwnedFd, OwnedFd)) -> Option<Self> {
        let letting_go = Arc::new(Mutex::new(()));
        let (number, gate) = (end.as_raw_fd(), Arc::clone(&letting_go));
        let (tell, told) = channel();
        let live = move || {
            let end = own_descriptors(number);
            let _ = tell.send(end.is_ok());
            end.into_iter().for_each(|end| mind(&end, &gate));
        };
        Builder::new().stack_size(STACK).name("grave".into()).spawn(live).ok()?;
        // Until then the number has to be what it is.
        let is_there = told.recv() == Ok(true);
        drop(end);
        is_there.then_some(Self { way, letting_go })
    }

    /// Has a socket closed with whatever lies in it.
    ///
    /// # Errors
    /// It is no socket, or cannot be taken now.
    pub(super) fn bury(&self, socket: OwnedFd) -> Result<(), OwnedFd> {
        // It asks nothing of a file of somebody's program.
        if socket_type(&socket).is_err() {
            return Err(socket);
        }
        let _held = self.letting_go.lock().unwrap_or_else(PoisonError::into_inner);
        // To close a socket is nothing as long as there is another copy.
        jail::run::send(&self.way, b"x", &[socket.as_fd()]).map_or_else(|_| Err(socket), |()| Ok(()))
    }
}

/// Waits for sockets; whoever is born here has nothing but the end of the way either.
fn mind(end: &OwnedFd, letting_go: &Mutex<()>) {
    loop {
        let mut waits = [PollFd::new(end, PollFlags::IN)];
        if poll(&mut waits, None).is_ok() && !waits[0].revents().contains(PollFlags::IN) {
            return;
        }
        let take = || own_descriptors(end.as_raw_fd()).map(|end| take_all(&end, letting_go)).is_ok();
        let taken = scope(|scope| {
            let one = Builder::new().stack_size(STACK).name("grave".into()).spawn_scoped(scope, take);
            one.is_ok_and(|one| one.join().unwrap_or(false))
        });
        if !taken {
            sleep(REST);
        }
    }
}

/// Takes what there is, and closes nothing of it.
fn take_all(end: &OwnedFd, letting_go: &Mutex<()>) {
    for _ in 0..TAKEN_MAX {
        match receive_all(end.as_fd(), &mut [0], RecvFlags::empty()) {
            Ok(arrived) if arrived.length > 0 => {
                arrived.descriptors.into_iter().for_each(|one| _ = one.into_raw_fd());
            }
            Err(Errno::INTR) => {}
            Ok(_) | Err(_) => break,
        }
    }
    drop(letting_go.lock().unwrap_or_else(PoisonError::into_inner));
}
