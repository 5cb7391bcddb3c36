//! Looks at sources with the Emperor's own rights, and through the spawner where those do not suffice.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use crate::emperor::event::Sight;
use crate::monitors::{Eyes, OwnEyes};
use crate::spawner::client::Lender;
use crate::spawner::wire::{Answer, Ask};
use crate::trust::TrustPolicy;

/// Own eyes first; what they may not see, the spawner lends.
pub struct LentEyes {
    own: OwnEyes,
    lender: Rc<Lender>,
}

impl LentEyes {
    /// Eyes that ask this spawner.
    pub fn new(lender: Rc<Lender>) -> Self {
        Self { own: OwnEyes, lender }
    }

    fn ask(&self, ask: &Ask, descriptors: &[BorrowedFd<'_>]) -> io::Result<(Answer, Option<OwnedFd>)> {
        self.lender.ask(ask, descriptors)
    }
}
