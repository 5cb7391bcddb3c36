//! Pure. What each tenant has sent and received, whether it is there or not.

use std::collections::BTreeMap;

use super::tally::Account;

/// Most tenants that are counted each for itself; peers that name themselves cannot make more of them.
pub const ACCOUNTS_MAX: usize = 65_536;

/// An account among all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AccountId(usize);

/// All accounts.
#[derive(Debug)]
pub struct Accounts {
    accounts: Vec<(String, Account)>,
    known: BTreeMap<String, usize>,
}

impl AccountId {
    /// Of whoever has no address, and of packets for nobody.
    pub(super) const NOBODY: Self = Self(0);
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self { accounts: vec![(String::new(), Account::default())], known: BTreeMap::new() }
    }

    /// The account of a tenant, which it finds again whenever it comes back.
    pub(super) fn open(&mut self, tenant: &str) -> AccountId {
        if let Some(index) = self.known.get(tenant) {
            return AccountId(*index);
        }
        if self.accounts.len() >= ACCOUNTS_MAX {
            return AccountId::NOBODY;
        }
        self.known.insert(tenant.to_owned(), self.accounts.len());
        self.accounts.push((tenant.to_owned(), Account::default()));
        AccountId(self.accounts.len() - 1)
    }

    /// Goes on with what an earlier life has counted; without a name it is nobody's.
    pub(super) fn restore(&mut self, tenant: &str, account: Account) {
        let id = if tenant.is_empty() { AccountId::NOBODY } else { self.open(tenant) };
        *self.of(id) = account;
    }

    pub(super) fn of(&mut self, id: AccountId) -> &mut Account {
        &mut self.accounts[id.0].1
    }

    /// The tenant's account, if it ever had an address.
    pub fn get(&self, tenant: &str) -> Option<&Account> {
        self.known.get(tenant).map(|index| &self.accounts[*index].1)
    }

    /// All of them with the tenants' names; the first one is nobody's.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Account)> {
        self.accounts.iter().map(|(name, account)| (name.as_str(), account))
    }
}
