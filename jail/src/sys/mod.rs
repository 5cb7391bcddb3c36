//! The only unsafe code: one safe function for each system call that rustix does not give us in the form
//! that a child of `clone3` needs (by number, on this thread alone, without a cache of libc).

mod alarm;
mod clone;
mod credentials;
mod descriptors;
mod exec;
mod exit;
mod fork;
mod inherited;
mod interface;
mod io_priority;
mod keyring;
mod landlock;
mod lock;
mod loopback;
mod messages;
mod modes;
mod mounts;
mod namespaces;
mod netlink;
mod outlive;
mod seccomp;
mod sender;
mod session;
mod signals;
mod sockets;
mod stack;
mod table;
mod tun;
mod unshare;

pub use alarm::alarm;
pub(crate) use clone::{CAN_SHARE, CHILD_FAILED, Child, CloneFlags, clone_apart, clone_sharing};
pub use credentials::set_real_ids;
pub(crate) use credentials::{
    file_gid, real_effective_saved_gid, real_effective_saved_uid, set_file_gid, set_file_uid,
};
pub(crate) use descriptors::{
    borrow, close_range, close_range_on_exec, duplicate_above, duplicate_to, is_open,
};
pub(crate) use exec::{Strings, execve, execveat};
pub(crate) use exit::exit_now;
pub use fork::{fork, fork_beside};
pub use inherited::{FIRST, adopt, close_all_but, close_on_exec_from_first, copy_of, place, set_flags};
pub use interface::interface;
pub(crate) use io_priority::{io_priority, set_io_priority};
pub(crate) use keyring::join_session_keyring;
pub(crate) use landlock::{landlock_allow, landlock_restrict, landlock_ruleset, landlock_version};
pub use lock::lock;
pub(crate) use loopback::loopback_up;
pub use messages::{Arrived, receive_all};
pub use modes::fchmodat2;
pub use mounts::set_mount_attributes;
pub(crate) use mounts::{nosuid_below_root, set_attributes, set_owners};
pub(crate) use namespaces::namespace_kind;
pub(crate) use netlink::explain_refusals;
pub use outlive::outlive;
pub(crate) use seccomp::filter;
pub use sender::{Message, receive_with_sender};
pub(crate) use session::session_of;
pub(crate) use signals::{block_all, default_dispositions, restore_mask, unblock_all};
pub use sockets::{Credentials, look_from, peer, peer_uid, refuse_rights, tcp_backlog, unread};
pub(crate) use stack::Stack;
pub use table::own_descriptors;
pub use tun::{
    IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, TUN_F_USO4,
    TUN_F_USO6, tun_flags, tun_make, tun_offload,
};
pub(crate) use unshare::unshare;

use rustix::io::Errno;

/// The answer of a raw system call, as libc gives it: -1 and `errno`.
fn answer(result: libc::c_long) -> Result<libc::c_long, Errno> {
    match result {
        -1 => Err(last_errno()),
        value => Ok(value),
    }
}

fn last_errno() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO)
}
