//! The journal's own protocol (systemd's JOURNAL_NATIVE_PROTOCOL): one datagram for each event, a line for each field, so
//! that `journalctl VASSAL=shop.ini` finds what was said about a vassal.

use std::fmt::Write as _;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SendFlags, SocketAddrUnix, SocketFlags, SocketType, sendto, socket_with};

/// Where a journal takes them.
pub const PLACE: &str = "/run/systemd/journal/socket";
/// What the lines of this program go by.
const IDENTIFIER: &str = "liege";

/// A way to the journal.
#[derive(Debug)]
pub struct Journal {
    socket: OwnedFd,
    place: SocketAddrUnix,
}

impl Journal {
    /// To the one of this host, which may not be there.
    ///
    /// # Errors
    /// Those of `socket(2)`.
    pub fn new() -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
        Ok(Self { socket, place: SocketAddrUnix::new(PLACE)? })
    }

    /// Hands it one entry, and waits for nobody.
    ///
    /// # Errors
    /// There is no journal, or it has too much to do.
    pub fn take(&self, entry: &str) -> Result<(), Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendto(&self.socket, entry.as_bytes(), flags, &self.place).map(drop)
    }
}

/// One entry: priority of syslog(3), message, and fields by their names in our own log. No text of theirs may hold the
/// end of a line.
pub fn entry(priority: u8, fields: &[(&str, &str)], message: &str) -> String {
    let mut entry = format!("MESSAGE={message}\nPRIORITY={priority}\nSYSLOG_IDENTIFIER={IDENTIFIER}\n");
    for (name, value) in fields {
        let _ = writeln!(entry, "{}={value}", field(name));
    }
    entry
}

/// One line of a vassal, whatever is in it (in the form that has lengths).
pub fn line(vassal: &str, line: &[u8]) -> Vec<u8> {
    let mut entry = Vec::new();
    let fields: [(&str, &[u8]); 3] =
        [("MESSAGE", line), ("SYSLOG_IDENTIFIER", vassal.as_bytes()), ("VASSAL", vassal.as_bytes())];
    for (name, value) in fields {
        entry.extend_from_slice(name.as_bytes());
        entry.push(b'\n');
        entry.extend_from_slice(&(value.len() as u64).to_le_bytes());
        entry.extend_from_slice(value);
        entry.push(b'\n');
    }
    entry.extend_from_slice(b"PRIORITY=6\n");
    entry
}

/// Those of others begin with our name: the journal has names of its own.
fn field(name: &str) -> String {
    let name = name.to_ascii_uppercase().replace('-', "_");
    if name == "VASSAL" { name } else { format!("LIEGE_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row L1.
    #[test]
    fn a_line_of_a_vassal_is_one_field_whatever_is_in_it() {
        let entry = line("a", b"x\nVASSAL=b");
        let mut expected = b"MESSAGE\n\x0a\0\0\0\0\0\0\0x\nVASSAL=b\n".to_vec();
        expected.extend_from_slice(
            b"SYSLOG_IDENTIFIER\n\x01\0\0\0\0\0\0\0a\nVASSAL\n\x01\0\0\0\0\0\0\0a\nPRIORITY=6\n",
        );
        assert_eq!(entry, expected);
    }

    #[test]
    fn each_field_is_a_line_of_its_own_name() {
        let text =
            entry(4, &[("vassal", "shop.ini"), ("pid", "7"), ("died-of", "x")], "vassal=shop.ini msg=died");
        assert_eq!(
            text,
            "MESSAGE=vassal=shop.ini msg=died\nPRIORITY=4\nSYSLOG_IDENTIFIER=liege\nVASSAL=shop.ini\nLIEGE_PID=7\n\
             LIEGE_DIED_OF=x\n"
        );
    }
}
