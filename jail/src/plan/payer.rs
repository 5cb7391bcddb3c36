//! Pure. Who pays for what is made in a user namespace.

use super::{Phase, Plan, Step};

/// Added to a tenant's uid: nobody is ever called by the sum. Numbers from here on are given out by no tool, because
/// many programs take them for negative ones. Whoever had such an id would own jails of others: nobody may be given one.
pub const PAYERS: u32 = 1 << 31;

impl Plan {
    /// The effective uid to make the user namespace with; `None` means our own.
    ///
    /// What the kernel counts for each user (inotify, signals, namespaces; `namespaces(7)`, `/proc/sys/user`) it
    /// charges, besides, to the effective uid that made the user namespace: were that root's for all jails, one tenant
    /// could use up what all of them have. It cannot be the tenant's own either: whoever has it outside has all
    /// rights over the namespace (`user_namespaces(7)`).
    ///
    /// A program that is run before the drop would lose root's rights to files by it: then root pays.
    pub fn payer(&self) -> Option<u32> {
        let tenant = self.map_from_outside()?.uid.first()?.outside;
        let payer = tenant.checked_add(PAYERS).filter(|uid| tenant != 0 && *uid != u32::MAX);
        payer.filter(|_| !self.steps.iter().any(runs_before_drop))
    }
}

fn runs_before_drop(step: &Step) -> bool {
    match step {
        Step::Run(phase, _) => *phase == Phase::AsVassalBeforeDrop,
        Step::Errand(errand) => errand.phase == Phase::AsVassalBeforeDrop,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Extent, Namespaces, Program, Spec, UserMap, plan};

    use super::*;

    fn spec(outside: u32, groups: bool) -> Spec {
        let map = || vec![Extent::one(0, outside)];
        let user_map = Some(UserMap { uid: map(), gid: map(), groups });
        Spec { namespaces: Namespaces::USER, user_map, ..Spec::default() }
    }

    #[test]
    fn each_tenant_pays_by_a_number_that_is_nobodys() {
        assert_eq!(plan(&spec(61001, true)).payer(), Some(2_147_544_649));
        assert_eq!(plan(&spec(61002, true)).payer(), Some(2_147_544_650));
    }

    #[test]
    fn root_pays_for_itself_and_for_numbers_that_have_no_sum() {
        for outside in [0, PAYERS - 1, PAYERS, u32::MAX - 1] {
            assert_eq!(plan(&spec(outside, true)).payer(), None, "{outside}");
        }
    }

    #[test]
    fn who_writes_his_own_map_pays_for_it_himself() {
        assert_eq!(plan(&spec(61001, false)).payer(), None);
        assert_eq!(plan(&Spec::default()).payer(), None);
    }

    #[test]
    fn a_program_before_the_drop_keeps_the_rights_of_root() {
        let with = |phase| Spec { hooks: vec![(phase, Program::default())], ..spec(61001, true) };
        assert_eq!(plan(&with(Phase::AsVassalBeforeDrop)).payer(), None);
        assert!(plan(&with(Phase::AsVassal)).payer().is_some());
    }
}
