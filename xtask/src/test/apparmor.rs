//! The profile for AppArmor: is it one?

use crate::program;
use crate::vm::apparmor;

use super::score::Score;

/// Checks it, where a parser can be had.
pub fn check(score: &mut Score) {
    if let Err(error) = apparmor::fetch() {
        return score.skip("AppArmor profile", &format!("{error:#}"));
    }
    score.check("AppArmor profile", apparmor::check(&program::top().join("packaging/liege.apparmor")));
}
