//! Who may read, and how much of it: with `emperor-stats-for-tenants` everybody who reaches a socket. Guests are those who
//! are neither root nor the Emperor's user; however many they are, there is room for these two.

use std::os::fd::AsFd;

use crate::emperor::event::Owner;
use crate::emperor::sender::Sender;

/// Mode of a socket that only the Emperor's user and group may connect to.
pub const GUARDED: u32 = 0o660;
/// Mode of one that everybody may connect to.
const WELCOMING: u32 = 0o666;
/// Most guests at one time: fewer than there is room for.
const GUESTS_MAX: usize = 12;
/// Most connections of one guest at one time.
const SHARE_MAX: usize = 2;
/// After so many guests nobody is let in for a moment: who asks without end does not keep the loop busy.
const PACE_MAX: u32 = 16;

/// Whether guests are welcome.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guests {
    /// `emperor-stats-for-tenants`.
    pub welcome: bool,
    /// The ids that the Emperor is about to take, if others than it has.
    pub owner: Option<Owner>,
}

/// How many guests came since the last pause.
#[derive(Debug, Default)]
pub struct Pace(u32);

impl Guests {
    /// Mode of the sockets.
    pub fn mode(self) -> u32 {
        if self.welcome { WELCOMING } else { GUARDED }
    }

    /// Who connected. Where guests are not welcome the socket's mode has decided, and everybody is a master. Whoever the
    /// kernel does not name has nothing.
    pub fn reader(self, socket: impl AsFd) -> Sender {
        let emperor = self.owner.map_or_else(|| rustix::process::geteuid().as_raw(), |owner| owner.uid);
        let named = || jail::sys::peer_uid(socket.as_fd()).unwrap_or(u32::MAX);
        Sender { uid: if self.welcome { named() } else { emperor }, emperor }
    }

    /// Whether one more may come, beside those who are there.
    pub fn have_room(reader: Sender, there: impl Iterator<Item = Sender>) -> bool {
        let guests: Vec<Sender> = there.filter(|one| !one.is_master()).collect();
        let own = guests.iter().filter(|one| one.uid == reader.uid).count();
        reader.is_master() || (guests.len() < GUESTS_MAX && own < SHARE_MAX)
    }
}

impl Pace {
    /// Counts one who came; true when it is time for a pause.
    pub fn is_over(&mut self, reader: Sender) -> bool {
        self.0 += u32::from(!reader.is_master());
        let over = self.0 >= PACE_MAX;
        self.0 %= PACE_MAX;
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(uid: u32) -> Sender {
        Sender { uid, emperor: 33 }
    }

    #[test]
    fn guests_have_a_share_each_and_leave_room_for_masters() {
        let there: Vec<Sender> = (0..GUESTS_MAX as u32).map(|number| reader(1_000 + number / 2)).collect();
        let room = |one: Sender, there: &[Sender]| Guests::have_room(one, there.iter().copied());
        assert!(room(reader(1_000), &there[..1]) && !room(reader(1_000), &there[..2]));
        assert!(!room(reader(2_000), &there), "there are enough");
        assert!(room(reader(0), &there) && room(reader(33), &there));
    }

    #[test]
    fn guests_without_end_make_for_a_pause_and_masters_do_not() {
        let mut pace = Pace::default();
        assert!((0..100).all(|_| !pace.is_over(reader(0))));
        let pauses = (0..10 * PACE_MAX).filter(|_| pace.is_over(reader(1_000)));
        assert_eq!(pauses.count(), 10);
    }

    #[test]
    fn who_connects_is_named_by_the_kernel_where_guests_are_welcome() {
        let (socket, _other) = std::os::unix::net::UnixStream::pair().expect("two sockets");
        let owner = Some(Owner { uid: 33, gid: 33 });
        let ours = rustix::process::geteuid().as_raw();
        assert_eq!(Guests { welcome: true, owner }.reader(&socket), Sender { uid: ours, emperor: 33 });
        assert!(Guests { welcome: false, owner }.reader(&socket).is_master());
    }
}
