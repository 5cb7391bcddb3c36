//! Pure. What a daemon's life depends on, and what it may be called.

use super::super::health::Readiness;

/// Daemons of one vassal.
pub const DAEMONS_MAX: usize = 64;
/// Letters of a name.
pub const NAME_MAX: usize = 64;

/// Whether it can be the name of a daemon: letters, digits, `.`, `_`, `-`, no dash or dot first.
pub fn is_name(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(letter) && !text.starts_with(['-', '.'])
}

/// What its config says, as far as its life depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The vassal stops when it ends.
    pub control: bool,
    /// It survives a reload of the vassal.
    pub smart: bool,
    /// A smart one is told of a reload.
    pub notify_pid: bool,
    /// Tells it to end.
    pub stop_signal: i32,
    /// Tells it to end when the vassal reloads, or to read its config again.
    pub reload_signal: Option<i32>,
    /// How long it may take to end.
    pub grace_ms: u64,
    /// Longest pause between two starts.
    pub delay_max_ms: u64,
    /// When it is ready.
    pub ready: Readiness,
}
