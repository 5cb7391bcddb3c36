//! Pure. What it takes to change something that a whole jail has: a namespace, a capability over it, and system calls.

use caps::Capability;

use super::evaluate::Call;
use super::filter::Filter;
use super::{Capabilities, Namespaces};

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Mounts, by the old calls (`mount(2)`, `umount2(2)`).
    Mounts,
    /// Mounts that are copied or moved, by descriptor (`open_tree(2)`, `move_mount(2)`, `mount_setattr(2)`).
    Trees,
    /// The host name.
    Name,
    /// Network interfaces (`netdevice(7)`).
    Interfaces,
}

impl Need {
    /// Each of them, with the word for it.
    pub const NAMED: [(&'static str, Self); 4] = [
        ("mounts", Self::Mounts),
        ("trees", Self::Trees),
        ("name", Self::Name),
        ("interfaces", Self::Interfaces),
    ];

    /// What has to be held over the namespace.
    pub fn capability(self) -> Capability {
        match self {
            Self::Mounts | Self::Trees | Self::Name => Capability::CAP_SYS_ADMIN,
            Self::Interfaces => Capability::CAP_NET_ADMIN,
        }
    }

    /// The namespace that is changed.
    pub fn namespace(self) -> Namespaces {
        match self {
            Self::Mounts | Self::Trees => Namespaces::FS,
            Self::Name => Namespaces::UTS,
            Self::Interfaces => Namespaces::NET,
        }
    }

    /// Whether these are enough.
    pub fn is_held(self, capabilities: Capabilities) -> bool {
        capabilities.has(self.capability())
    }

    /// Whether this filter lets all of its calls through.
    pub fn is_let(self, filter: &Filter) -> bool {
        self.calls().iter().all(|call| filter.lets(call))
    }

    fn calls(self) -> &'static [Call] {
        match self {
            Self::Mounts => &MOUNTS,
            Self::Trees => &TREES,
            Self::Name => &NAME,
            Self::Interfaces => &INTERFACES,
        }
    }
}

/// Of `netdevice(7)`: the same everywhere, but not of the same type.
const SIOCSIFFLAGS: u64 = 0x8914;
const MOUNTS: [Call; 2] = [Call::plain(libc::SYS_mount), Call::plain(libc::SYS_umount2)];
const TREES: [Call; 3] = [
    Call::plain(libc::SYS_open_tree),
    Call::plain(libc::SYS_move_mount),
    Call::plain(libc::SYS_mount_setattr),
];
const NAME: [Call; 1] = [Call::plain(libc::SYS_sethostname)];
const INTERFACES: [Call; 2] = [
    Call {
        number: libc::SYS_socket as u32,
        arguments: [libc::AF_INET as u64, libc::SOCK_DGRAM as u64, 0, 0, 0, 0],
    },
    Call { number: libc::SYS_ioctl as u32, arguments: [0, SIOCSIFFLAGS, 0, 0, 0, 0] },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_of_root_can_do_all_of_it_and_whoever_comes_later_no_mount() {
        let let_by = |filter: Filter| Need::NAMED.map(|(_, need)| need.is_let(&filter));
        assert_eq!(let_by(Filter::of_root()), [true; 4]);
        for later in [Filter::standard(), Filter::after_root()] {
            assert_eq!(let_by(later), [false, false, true, true], "{}", later.refused);
        }
        let foreign =
            Filter::kept("foreign", vec![super::super::Instruction { code: 99, yes: 0, no: 0, operand: 0 }]);
        assert_eq!(let_by(foreign), [false; 4]);
    }

    #[test]
    fn mounts_take_another_right_than_interfaces() {
        let admin = Capabilities::of(&[Capability::CAP_SYS_ADMIN]);
        assert_eq!(Need::NAMED.map(|(_, need)| need.is_held(admin)), [true, true, true, false]);
    }
}
