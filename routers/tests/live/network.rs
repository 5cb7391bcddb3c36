//! Networks that only a test knows.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;

use jail::run::Pool;
use jail::sys::{
    IFF_NO_PI, IFF_TUN, IFF_VNET_HDR, TUN_F_CSUM, TUN_F_TSO_ECN, TUN_F_TSO4, TUN_F_TSO6, tun_make,
    tun_offload,
};
use rustix::fs::{Mode, OFlags, open};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace; it goes with the last thing that is in it.
#[derive(Clone)]
pub struct Network(Arc<OwnedFd>);

impl Network {
    pub fn new() -> Self {
        let made = std::thread::spawn(|| {
            let mut pool = Pool::new().unwrap();
            pool.refill_one().expect("root");
            pool.take().unwrap()
        });
        Self(Arc::new(made.join().unwrap()))
    }

    /// Runs something in it, on a thread of its own.
    pub fn within<T: Send + 'static>(&self, run: impl FnOnce() -> T + Send + 'static) -> T {
        self.beside(run).join().unwrap()
    }

    /// The same, and does not wait for it.
    pub fn beside<T: Send + 'static>(
        &self,
        run: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let network = Arc::clone(&self.0);
        std::thread::spawn(move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            run()
        })
    }

    /// Runs a command in it, which must succeed.
    pub fn run(&self, line: &str) {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let whole = line.to_owned();
        self.within(move || {
            let output = Command::new(&words[0]).args(&words[1..]).output().unwrap();
            assert!(output.status.success(), "{whole}: {}", String::from_utf8_lossy(&output.stderr));
        });
    }

    /// A device of ours, up.
    pub fn device(&self, name: &'static str, addresses: &[&str]) -> OwnedFd {
        let tun = self.device_of(name, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR);
        tun_offload(tun.as_fd(), TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN).unwrap();
        self.dress(name, 65000, addresses);
        tun
    }

    /// A device without anything around it.
    pub fn device_of(&self, name: &'static str, flags: u16) -> OwnedFd {
        self.within(move || {
            let flags_of_open = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
            let tun = open("/dev/net/tun", flags_of_open, Mode::empty()).expect("/dev/net/tun");
            tun_make(tun.as_fd(), name, flags).unwrap();
            tun
        })
    }

    /// Brings a device up with its addresses.
    pub fn dress(&self, name: &str, mtu: u32, addresses: &[&str]) {
        for address in addresses {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            self.run(&format!("ip address add {address} dev {name} {nodad}"));
        }
        self.run(&format!("ip link set {name} mtu {mtu} txqueuelen 1000 up"));
    }

    /// Whether both are the same one.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}
