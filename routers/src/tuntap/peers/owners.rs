//! Pure. What belongs to whom: given by an administrator, or lent for now.

use core::net::IpAddr;
use std::collections::btree_map::Entry;

use super::super::grant::Grant;
use super::super::policy::Settings;
use super::{GivenTwice, PeerId, Peers};

impl Peers {
    /// Gives addresses to a tenant; whoever came first with one of them holds it no more.
    ///
    /// # Errors
    /// One of them is somebody's.
    pub(in super::super) fn give(&mut self, grant: Grant, settings: &Settings) -> Result<(), GivenTwice> {
        let uid = grant.uid;
        let index = self.enter(grant, settings)?;
        self.granted.entry(uid).or_default().push(index);
        Ok(())
    }

    /// Lends addresses to a tenant until they are withdrawn.
    ///
    /// # Errors
    /// One of them is somebody's.
    pub(in super::super) fn lend(&mut self, grant: Grant, settings: &Settings) -> Result<(), GivenTwice> {
        let uid = grant.uid;
        let index = self.enter(grant, settings)?;
        self.lent.entry(uid).or_default().push(index);
        Ok(())
    }

    fn enter(&mut self, grant: Grant, settings: &Settings) -> Result<usize, GivenTwice> {
        let owner = |address: &IpAddr| match self.owner(*address) {
            Some(owner) => Some(owner.name.clone()),
            None => settings.hosts.contains(address).then(|| "the host".to_owned()),
        };
        let taken = grant.addresses.iter().find_map(|address| Some((*address, owner(address)?)));
        if let Some((address, owner)) = taken {
            return Err(GivenTwice { address, owner });
        }
        grant.addresses.iter().for_each(|address| self.take_away(*address));
        let index = self.withdrawn.pop().unwrap_or(self.grants.len());
        self.owners.extend(grant.addresses.iter().map(|address| (*address, index)));
        if index == self.grants.len() {
            self.grants.push(grant);
        } else {
            self.grants[index] = grant;
        }
        Ok(index)
    }

    /// Whose an address is, whether he is there or not.
    pub fn owner(&self, address: IpAddr) -> Option<&Grant> {
        self.owners.get(&address).map(|owner| &self.grants[*owner])
    }

    /// Takes back what was lent to a tenant; its peers hold it no more.
    pub(in super::super) fn withdraw(&mut self, uid: u32, name: &str) {
        let Entry::Occupied(mut lent) = self.lent.entry(uid) else { return };
        let Some(place) = lent.get().iter().position(|grant| self.grants[*grant].name == name) else {
            return;
        };
        let index = lent.get_mut().swap_remove(place);
        if lent.get().is_empty() {
            lent.remove();
        }
        for address in std::mem::take(&mut self.grants[index].addresses) {
            self.owners.remove(&address);
            self.take_away(address);
        }
        for id in self.users.get(&uid).cloned().unwrap_or_default() {
            if let Some(peer) = self.get_mut(id) {
                peer.grant = peer.grant.filter(|grant| *grant != index);
            }
        }
        self.withdrawn.push(index);
    }

    fn grant_of(&self, uid: u32, name: &str) -> Option<usize> {
        let all = self.granted.get(&uid).into_iter().chain(self.lent.get(&uid)).flatten().copied();
        all.into_iter().find(|grant| self.grants[*grant].name == name)
    }

    /// What was lent to a user.
    pub fn lent(&self, uid: u32) -> impl Iterator<Item = &Grant> {
        self.lent.get(&uid).into_iter().flatten().map(|grant| &self.grants[*grant])
    }

    /// What was given to a user, in the order in which it was.
    pub fn given(&self, uid: u32) -> impl Iterator<Item = &Grant> {
        self.granted.get(&uid).into_iter().flatten().map(|grant| &self.grants[*grant])
    }

    /// The peer is this tenant, whatever it was taken for, and gets what nobody holds of its addresses; whether that
    /// is all of them.
    pub(in super::super) fn settle(&mut self, id: PeerId, name: &str) -> bool {
        let Some(grant) = self.get(id).and_then(|peer| self.grant_of(peer.uid, name)) else { return false };
        let held = self.get_mut(id).map(|peer| std::mem::take(&mut peer.addresses)).unwrap_or_default();
        for address in held {
            self.holders.remove(&address);
        }
        self.adopt(id, grant);
        for address in self.grants[grant].addresses.clone() {
            if !self.holders.has(&address) {
                self.take(id, address);
            }
        }
        self.get(id).is_some_and(|peer| peer.addresses.len() == self.grants[grant].addresses.len())
    }
}
