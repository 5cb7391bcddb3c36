//! Says what the herald has to say to the socket of a service manager (`NOTIFY_SOCKET`, sd_notify(3)), and nowhere else.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

use super::herald::{Condition, Herald};
use super::watchdog::Watchdog;
use crate::emperor::event::Moment;
use crate::log;

/// By this variable a service manager says where it listens. No vassal ever gets it.
const VARIABLE: &str = "NOTIFY_SOCKET";

/// On the way between the Emperor and a service manager, if there is one.
pub struct Messenger {
    herald: Herald,
    watchdog: Watchdog,
    ear: Option<Ear>,
}

impl Messenger {
    /// To the service manager that our environment names.
    pub fn of_environment(text: &dyn Fn(&str) -> Option<String>) -> Self {
        let pid = rustix::process::getpid().as_raw_nonzero().get();
        let watchdog = Watchdog::new(text("WATCHDOG_USEC").as_deref(), text("WATCHDOG_PID").as_deref(), pid);
        Self { herald: Herald::new(), watchdog, ear: Ear::of_environment(text) }
    }

    /// The Emperor as it is now. Each turn of the loop says so, and nobody else: a loop that hangs is missed by a watchdog.
    pub fn look(&mut self, condition: Condition, vassals: usize, now: Moment) {
        self.herald.look(condition, vassals);
        self.speak(now);
    }

    /// Everybody is told to reload.
    pub fn reload(&mut self, now: Moment) {
        self.herald.reload(now);
        self.speak(now);
    }

    /// When there will be something to say.
    pub fn next_deadline(&self) -> Option<Moment> {
        self.ear.as_ref()?;
        self.herald.next_deadline().into_iter().chain(self.watchdog.next_deadline()).min()
    }

    fn speak(&mut self, now: Moment) {
        let Some(ear) = &self.ear else { return };
        if self.watchdog.is_due(now) {
            // One that is lost is followed by the next, before it is missed.
            ear.say("WATCHDOG=1");
        }
        let Some(message) = self.herald.message(now) else { return };
        match ear.say(&message) {
            Taken::Yes => self.herald.heard(now),
            Taken::Later => self.herald.unheard(now),
        }
    }
}

/// Where words go.
struct Ear {
    socket: OwnedFd,
    address: SocketAddrUnix,
}

/// What became of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    /// It was taken, or nobody is there who ever will.
    Yes,
    /// Not now.
    Later,
}

impl Ear {
    /// The one that our environment names. A name that cannot be used is told, and is no reason not to start.
    fn of_environment(text: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        let name = text(VARIABLE).filter(|name| !name.is_empty())?;
        Self::at(&name.into())
            .map_err(|why| log::warn("emperor", &format!("{VARIABLE} is not used: {why}")))
            .ok()
    }

    fn at(name: &OsString) -> Result<Self, String> {
        let address = address(name.as_bytes())?;
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)
            .map_err(|error| format!("cannot make a socket: {error}"))?;
        Ok(Self { socket, address })
    }

    /// Says it, and waits for nobody. To a place that is no socket nothing is ever written: the kernel refuses it.
    fn say(&self, message: &str) -> Taken {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        match sendto(&self.socket, message.as_bytes(), flags, &self.address) {
            Err(Errno::AGAIN | Errno::NOBUFS | Errno::INTR) => Taken::Later,
            Ok(_) | Err(_) => Taken::Yes,
        }
    }
}

/// An absolute path, or `@` and a name in the abstract namespace.
fn address(name: &[u8]) -> Result<SocketAddrUnix, String> {
    let shown = String::from_utf8_lossy(name);
    let address = match name {
        [b'@', name @ ..] if !name.is_empty() => SocketAddrUnix::new_abstract_name(name),
        [b'/', ..] => SocketAddrUnix::new(Path::new(std::ffi::OsStr::from_bytes(name))),
        _ => return Err(format!("{shown} is neither an absolute path nor @NAME")),
    };
    address.map_err(|error| format!("{shown}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_and_an_abstract_name_are_places() {
        for name in ["run/notify", "@", "vsock:2:1234", "tcp:1", "\0x"] {
            assert!(address(name.as_bytes()).is_err(), "{name:?}");
        }
        let long = format!("/{}", "x".repeat(200));
        assert!(address(long.as_bytes()).is_err());
        assert!(address(b"/run/notify").is_ok() && address(b"@notify").is_ok());
    }

    #[test]
    fn a_file_in_the_place_of_the_socket_is_not_written_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let (file, link) = (directory.path().join("file"), directory.path().join("link"));
        std::fs::write(&file, "before").expect("a file");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        for place in [&file, &link, &directory.path().join("absent")] {
            let ear = Ear::at(&place.clone().into_os_string()).expect("a path");
            assert_eq!(ear.say("READY=1"), Taken::Yes);
        }
        assert_eq!(std::fs::read_to_string(&file).expect("a file"), "before");
        assert!(!directory.path().join("absent").exists());
    }

    #[test]
    fn somebody_who_never_listens_is_not_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let place = directory.path().join("notify");
        let _deaf = std::os::unix::net::UnixDatagram::bind(&place).expect("a socket");
        let ear = Ear::at(&place.into_os_string()).expect("a path");
        let answers: Vec<Taken> =
            (0..1_000_000).map(|_| ear.say("READY=1")).take_while(|one| *one == Taken::Yes).collect();
        assert!(answers.len() < 1_000_000);
    }
}
