//! Pure. `jail`: a whole jail by one word.

use jail::plan::standard::Strictness;

use super::show::quoted;
use super::values::{Wrong, text, wrong};

/// `standard`, `strict`, or `none`.
///
/// # Errors
/// Anything else; a path is FreeBSD's.
pub fn word(value: &str) -> Result<Option<Strictness>, Wrong> {
    match text(value)?.as_str() {
        "standard" => Ok(Some(Strictness::Standard)),
        "strict" => Ok(Some(Strictness::Strict)),
        "none" => Ok(None),
        path if path.contains('/') => wrong(
            "a jail with a path is one of FreeBSD's, which Linux has not",
            "write: jail = standard, and `rootfs = DIRECTORY` in the vassal's config for another root",
        ),
        odd => wrong(format!("{} is no kind of jail", quoted(odd)), "use `standard`, `strict` or `none`"),
    }
}
