//! What is made beforehand: network namespaces, and our own program in memory.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsFd, AsRawFd};

use jail::plan::{Network, Spec};
use jail::run::{Birth, Pool, spawn};
use rustix::fs::{CWD, Mode, OFlags, fstat, openat, readlink};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::roles;
use crate::stage::{jailed, output, reap, settle};

fn own_network() -> String {
    readlink("/proc/self/ns/net", Vec::new()).unwrap().into_string().unwrap()
}

pub fn pooled_networks_are_distinct_and_up() {
    let mut pool = Pool::new().unwrap();
    (0..3).for_each(|_| pool.refill_one().unwrap());
    assert_eq!(pool.len(), 3);
    let mut seen = BTreeSet::from([own_network()]);
    while let Some(network) = pool.take() {
        let script = "readlink /proc/self/ns/net; grep -c 127.0.0.1 /proc/net/fib_trie >&2";
        let network = Network::Pooled(network.as_raw_fd());
        // Dropped at the end of this turn: the plan only names it.
        let inside = output(&Spec { network, ..jailed(script) });
        let (name, routes) = inside.trim().split_once('\n').unwrap();
        assert!(seen.insert(name.to_owned()), "{name} was given before");
        assert!(routes.parse::<u32>().unwrap() > 0, "lo is up");
    }
    assert!(pool.is_empty());
}

pub fn a_pool_leaves_the_caller_at_home() {
    let before = own_network();
    let mut pool = Pool::new().unwrap();
    pool.refill_one().unwrap();
    assert_eq!(own_network(), before);
    let made = fstat(pool.take().unwrap()).unwrap().st_ino;
    assert_ne!(before, format!("net:[{made}]"));
}

pub fn our_program_in_memory_cannot_be_changed() {
    let whole = std::fs::read("/proc/self/exe").unwrap();
    let (life, hold) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let plan = roles::plan("parent", vec![(life.as_raw_fd(), 0), (tell.as_raw_fd(), 5), (2, 2)]);
    let (born, _) = settle(spawn(&plan, &Birth::default()).unwrap());
    drop(tell);
    std::io::read_to_string(File::from(told)).unwrap();
    let link = format!("/proc/{}/exe", born.pid);
    let open = |path: &str, flags| openat(CWD, path, flags | OFlags::CLOEXEC, Mode::empty());
    assert_eq!(open(&link, OFlags::RDWR).unwrap_err(), Errno::TXTBSY);
    assert!(std::fs::read(&link).unwrap() == whole, "it is our own program");
    drop(hold);
    reap(&born);
    // Nobody runs it now: opening is allowed, changing is not.
    let path = format!("/proc/self/fd/{}", roles::ourselves().as_fd().as_raw_fd());
    let mut file = File::from(open(&path, OFlags::RDWR).unwrap());
    assert_eq!(file.write(b"x").unwrap_err().raw_os_error(), Some(libc::EPERM));
    assert_eq!(file.set_len(1).unwrap_err().raw_os_error(), Some(libc::EPERM));
    assert!(std::fs::read(path).unwrap() == whole);
}
