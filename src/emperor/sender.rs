//! Pure. Who speaks or asks, as the kernel says, and what of the vassals is theirs.

use super::event::{Owner, Whose};

/// What the kernel says of somebody whose user has no number in our user namespace (`user_namespaces(7)`).
const NAMELESS: u32 = 65_534;

/// Somebody else's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its user id.
    pub uid: u32,
    /// User id of the Emperor.
    pub emperor: u32,
}

impl Sender {
    /// Root and the Emperor's user may do everything.
    pub fn is_master(self) -> bool {
        self.uid == 0 || (self.uid == self.emperor && self.uid != NAMELESS)
    }

    /// Everybody else may speak of what is his own; whoever has no name here has nothing.
    pub fn may_command(self, owner: Owner) -> bool {
        self.is_master() || (self.uid == owner.uid && self.has_name())
    }

    /// Whether his number is his alone.
    pub fn has_name(self) -> bool {
        self.uid != NAMELESS
    }

    /// Whoever has disabled something may take that back, where no config says whose it is now.
    pub fn may_take_back(self, whose: Whose) -> bool {
        self.is_master() || (whose == Whose::Owner(self.uid) && self.uid != NAMELESS)
    }

    /// Whoever may command a vassal may know how it is.
    pub fn may_see(self, owner: Owner) -> bool {
        self.may_command(owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_commands_what_is_his_and_nothing_else() {
        let owner = |uid| Owner { uid, gid: 7 };
        let tenant = Sender { uid: 1000, emperor: 33 };
        assert!(tenant.may_command(owner(1000)) && !tenant.may_command(owner(1001)));
        assert!(!tenant.may_command(owner(0)) && !tenant.may_command(owner(33)) && !tenant.is_master());
        assert!(!Sender { uid: NAMELESS, emperor: 33 }.may_command(owner(NAMELESS)));
        assert!(!Sender { uid: NAMELESS, emperor: NAMELESS }.is_master());
        assert!([0, 33].map(|uid| Sender { uid, emperor: 33 }).into_iter().all(Sender::is_master));
    }
}
