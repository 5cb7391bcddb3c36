//! What a router has parked: descriptors, and what its successor has to know of each. Bounded, whoever has taken the router over.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use routers::parking::MESSAGE_MAX;

use crate::parting;

/// Descriptors of one peer: its connection, its device.
const DESCRIPTORS_MAX: usize = 2;
/// Bytes that one peer's state may have.
const STATE_MAX: usize = MESSAGE_MAX / 2;

/// All that is kept for the next process.
#[derive(Default)]
pub(super) struct Keep {
    parked: BTreeMap<u64, Parked>,
    /// The most peers at once.
    peers_max: usize,
}

/// One peer.
pub(super) struct Parked {
    /// Given back as it is.
    pub state: Vec<u8>,
    descriptors: Vec<OwnedFd>,
}

impl Keep {
    pub fn of(peers_max: usize) -> Self {
        Self { parked: BTreeMap::new(), peers_max }
    }

    /// Keeps these descriptors, in the place of what was kept under this key. Whatever is not kept any more, or not at all, is closed by
    /// somebody else: a peer can have sent something, and a router that was taken over can park anything.
    ///
    /// # Errors
    /// More than a router can have to keep.
    pub fn park(&mut self, key: u64, state: Vec<u8>, descriptors: Vec<OwnedFd>) -> Result<(), String> {
        let parked = Parked { state, descriptors };
        if !(1..=DESCRIPTORS_MAX).contains(&parked.descriptors.len()) {
            return Err(format!("parks {} descriptors of one peer", parked.descriptors.len()));
        }
        if parked.state.len() > STATE_MAX {
            return Err(format!("parks {} bytes of one peer", parked.state.len()));
        }
        if self.parked.len() >= self.peers_max && !self.parked.contains_key(&key) {
            return Err("parks more peers than there can be".into());
        }
        self.parked.insert(key, parked);
        Ok(())
    }

    /// Closes what is kept under this key.
    pub fn forget(&mut self, key: u64) {
        self.parked.remove(&key);
    }

    /// Closes all that is kept.
    pub fn clear(&mut self) {
        self.parked.clear();
    }

    /// What is kept under this key.
    pub fn get(&self, key: u64) -> Option<&Parked> {
        self.parked.get(&key)
    }

    /// In the order in which they were parked first.
    pub fn keys(&self) -> Vec<u64> {
        self.parked.keys().copied().collect()
    }

    pub fn len(&self) -> usize {
        self.parked.len()
    }
}

impl Drop for Parked {
    fn drop(&mut self) {
        parting::later(self.descriptors.drain(..));
    }
}

impl Parked {
    pub fn lent(&self) -> Vec<BorrowedFd<'_>> {
        self.descriptors.iter().map(AsFd::as_fd).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors(count: usize) -> Vec<OwnedFd> {
        let one = || rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a descriptor");
        (0..count).map(|_| one()).collect()
    }

    #[test]
    fn what_is_parked_is_there_until_it_is_forgotten() {
        let mut keep = Keep::of(2);
        keep.park(7, b"a".to_vec(), descriptors(2)).unwrap();
        keep.park(3, b"b".to_vec(), descriptors(1)).unwrap();
        keep.park(7, b"c".to_vec(), descriptors(1)).unwrap();
        assert_eq!((keep.keys(), keep.get(7).unwrap().state.as_slice()), (vec![3, 7], &b"c"[..]));
        assert_eq!(keep.get(7).unwrap().lent().len(), 1);
        keep.forget(3);
        keep.forget(99);
        assert_eq!((keep.len(), keep.keys()), (1, vec![7]));
    }

    /// Row W8.
    #[test]
    fn nobody_fills_the_emperor_with_what_he_parks() {
        let mut keep = Keep::of(2);
        keep.park(1, Vec::new(), descriptors(1)).unwrap();
        keep.park(2, Vec::new(), descriptors(1)).unwrap();
        assert!(keep.park(3, Vec::new(), descriptors(1)).is_err());
        assert!(keep.park(2, vec![0; STATE_MAX + 1], descriptors(1)).is_err());
        assert!(
            keep.park(2, Vec::new(), descriptors(3)).is_err()
                && keep.park(2, Vec::new(), Vec::new()).is_err()
        );
        keep.forget(1);
        keep.park(3, vec![0; STATE_MAX], descriptors(2)).unwrap();
    }
}
