//! Pure. Daemons beside the command of a vassal: when each is started, told to stop and started again, and the words about it.

pub mod life;
mod pace;
pub mod words;

pub use life::{Leaving, Life, Order, Rules};
pub use words::{Steering, Word};

/// Daemons of one vassal.
pub const DAEMONS_MAX: usize = 64;
/// Letters of a name.
pub const NAME_MAX: usize = 64;

/// Whether it can be the name of a daemon: letters, digits, `.`, `_`, `-`, no dash or dot first.
pub fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(letter) && !text.starts_with(['-', '.'])
}
