//! Pure. What to do about a step that failed.

use super::Step;

/// What is known of this host when something fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {}

/// The cure for a failed step, when we know one.
pub fn advise(_step: &Step, _errno: i32, _host: &Host) -> Option<String> {
    None
}
