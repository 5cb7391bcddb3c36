//! What the vassal tells its Emperor for people: what keeps it from going on, which config it uses, where it listens. An
//! Emperor that knows nothing of such texts passes over them.

use std::os::fd::AsFd;

use super::control;
use super::state::Vassal;
use crate::config::place::ConfigError;
use crate::config::vassal::Address;
use crate::daemons::Word;
use crate::emperor::event::Digest;
use crate::emperor::order::from_vassal::{
    DAEMON, KEPT, LONG_TEXT_MAX, SERVES, TAKES, TEXT_END, TROUBLE, USELESS,
};
use crate::log::plain;

/// What ends it.
pub fn trouble(control: Option<&impl AsFd>, sentence: &str) {
    say(control, &text(TROUBLE, sentence));
}

/// What is wrong with its config.
pub fn errors(control: Option<&impl AsFd>, errors: &[ConfigError]) {
    trouble(control, &sentence(errors));
}

/// That another start with the same text finds the same.
///
/// Must: follow what is wrong. Must not: be said of a config that names a file which is still to come.
pub fn useless(control: Option<&impl AsFd>) {
    say(control, &[USELESS]);
}

/// Why it does not use the config of this text; nothing is wrong with one that it uses.
pub fn kept(digest: Option<Digest>, errors: &[ConfigError]) -> Vec<u8> {
    let digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
    text(KEPT, &(digest + &sentence(errors)))
}

/// That it begins anew with the config of this text, if it is known.
pub fn takes(digest: Option<Digest>) -> Vec<u8> {
    digest.map(|digest| text(TAKES, &digest.to_string())).unwrap_or_default()
}

/// Why it does not use the config of this text, which it was born with, but the one that the process before it has taken.
pub fn not_used(control: Option<&impl AsFd>, digest: Option<Digest>, errors: &[ConfigError]) {
    say(control, &kept(digest, errors));
}

/// The sockets that its command gets.
pub fn serves(vassal: &Vassal) {
    let addresses = vassal.sockets.iter().filter_map(|socket| socket.address()).map(words);
    let addresses = addresses.collect::<Vec<_>>().join(", ");
    if !addresses.is_empty() {
        say(vassal.control.as_ref(), &text(SERVES, &addresses));
    }
}

/// Where one of its daemons stands.
pub fn daemon(vassal: &Vassal, word: &Word) {
    say(vassal.control.as_ref(), &text(DAEMON, &word.to_string()));
}

/// Those told of before are none of its own any more.
pub fn no_daemons(vassal: &Vassal) {
    say(vassal.control.as_ref(), &text(DAEMON, ""));
}

fn say(control: Option<&impl AsFd>, bytes: &[u8]) {
    if let Some(control) = control {
        control::say(control, bytes);
    }
}

/// The first error in one line; the log has all of them, each with its line.
fn sentence(errors: &[ConfigError]) -> String {
    let Some(first) = errors.first() else { return String::new() };
    let place = first.place.as_ref().map(|place| format!("{place}: ")).unwrap_or_default();
    let cure = first.cure.as_ref().map(|cure| format!("; {cure}")).unwrap_or_default();
    let others = errors.len() - 1;
    let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
    format!("{place}{}{others}{cure}", first.cause)
}

/// No letter of it is a byte of the protocol.
fn text(kind: u8, words: &str) -> Vec<u8> {
    let words = plain(words);
    let end = (0..=LONG_TEXT_MAX.min(words.len())).rev().find(|end| words.is_char_boundary(*end));
    [&[kind], &words.as_bytes()[..end.unwrap_or(0)], &[TEXT_END]].concat()
}

fn words(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => path.display().to_string(),
        Address::Abstract(name) => format!("@{name}"),
        Address::Inherited(number) => format!("fd://{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_config_is_told_in_one_line_with_place_and_cure() {
        let error = ConfigError::whole("unknown option `comand`").cure("did you mean `command`?");
        assert_eq!(
            kept(None, std::slice::from_ref(&error)),
            b"\x0funknown option `comand`; did you mean `command`?\n"
        );
        let two = kept(Some(Digest(0xfe)), &[error.clone(), error]);
        assert_eq!(
            two,
            b"\x0f00000000000000feunknown option `comand` (and 1 more); did you mean `command`?\n"
        );
        assert_eq!(kept(None, &[]), b"\x0f\n");
    }

    /// Row C8: no word of a config is a byte of the protocol, however long and whatever it is.
    #[test]
    fn what_is_told_is_letters_and_bounded() {
        for hostile in ["\x16\x1e\x05\x1b[2J\r\n", "\u{85}", &"é".repeat(5_000)] {
            let bytes = text(TROUBLE, hostile);
            let (first, words, last) = (bytes[0], &bytes[1..bytes.len() - 1], bytes[bytes.len() - 1]);
            assert_eq!((first, last), (TROUBLE, TEXT_END));
            assert!(words.len() <= LONG_TEXT_MAX && words.iter().all(|byte| *byte >= b' '), "{hostile:?}");
        }
    }
}
