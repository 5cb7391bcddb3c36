//! Pure. What is said over the control socket of an Emperor: one packet of `SOCK_SEQPACKET` each, a byte with the version,
//! then `postcard`. Descriptors travel beside it (`SCM_RIGHTS`), where a message says so.
//!
//! Whoever asks says one `Ask`. What answers is the Emperor, and from then on the process of the session itself.

use super::wish::{Standing, Wish};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// Longest message, in bytes; a longer one is refused.
pub const MESSAGE_MAX: usize = 65_536;
/// What is kept of the output of a session that nobody looks at, in bytes: it fits into a message.
pub const MISSED_MAX: usize = 32_768;
/// Lines of a vassal in one message, in bytes.
pub const LINES_MAX: usize = 32_768;
/// Names in one question how vassals are.
pub const NAMES_MAX: usize = 16;
/// The language of these messages. Another one is refused by whoever does not speak it.
const VERSION: u8 = 1;
/// Most words of a command, and most variables.
const WORDS_MAX: usize = 4_096;
/// Longest value of a variable, in bytes.
const VALUE_MAX: usize = 64;
/// Variables that a client may say: they are about his terminal alone.
pub const VARIABLES: [&str; 3] = ["TERM", "LANG", "COLORTERM"];

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// A program in the jail of a vassal.
    Enter(Entry),
    /// A session that nobody looks at: by its number, or the only one of a vassal.
    Again(String),
    /// Something of vassals.
    Govern(Wish),
    /// What a vassal has written.
    Tail(Tail),
    /// A look at all sources.
    Update,
    /// The end of the Emperor.
    End,
    /// How those are that are called so, or whose daemons are: no patterns.
    Show(Vec<String>),
}

/// What of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tail {
    /// The vassal.
    pub name: String,
    /// The last lines.
    pub lines: u32,
    /// And whatever follows.
    pub follows: bool,
}

/// What has become of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It is new.
    Added,
    /// It is another one.
    Changed,
    /// It is gone.
    Removed,
}

/// A program that is to be run in a jail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The vassal.
    pub name: String,
    /// The program and its arguments; none is the shell of the vassal's user.
    pub argv: Vec<String>,
    /// Some of [`VARIABLES`].
    pub environment: Vec<(String, String)>,
    /// What its standard descriptors are.
    pub manner: Manner,
}

/// What the standard descriptors of a program are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Manner {
    /// A terminal of the jail's.
    Terminal(Size),
    /// Those that the client lends when he is asked for them.
    Plain,
}

/// Of a terminal, in characters; 0 where nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Lines.
    pub rows: u16,
    /// Characters in each.
    pub columns: u16,
}

/// What whoever asked is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Nothing comes of it: a sentence.
    Refused(String),
    /// These sessions of his are there, and nobody looks at them. More follows.
    Waiting(Vec<u32>),
    /// Lend the standard descriptors of the program now.
    Lend,
    /// The program runs on a terminal. Descriptor: our side of it. Bytes: what it wrote while nobody looked.
    Terminal(Vec<u8>),
    /// The program runs.
    Begun,
    /// The session goes on without a client, under this number.
    Detached(u32),
    /// The program has ended with this status: 128 and its number for a signal.
    Ended(u8),
    /// How some of those that are meant stand: first as they were found, then whenever one of them has changed.
    Standings(Vec<Standing>),
    /// None of them is called so.
    Nobody(Vec<String>),
    /// The deed does not reach the vassal of this number: a sentence.
    Declined(u32, String),
    /// The vassal of this number is no more.
    Gone(u32),
    /// What was found to have changed, by the names of vassals.
    Changed(Vec<(Change, String)>),
    /// All who were meant have been told; what follows is what comes of it.
    Told,
    /// Lines of a vassal, or pieces of them.
    Lines(Vec<u8>),
    /// How some vassals are: a document as the stats socket hands it out, or a piece of it. Its end follows it.
    Document(Vec<u8>),
}

/// What a client says to his session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Say {
    /// Send this signal to the program.
    Signal(u8),
    /// Go on without me.
    Detach,
    /// What the program is to read and write. Descriptors: its standard input, output and error.
    Lent,
}

/// A packet that is no such message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Of another version.
    #[error("it is of version {0} of the control protocol, and this is version {VERSION}")]
    Version(u8),
    /// Anything else.
    #[error("it is no message of the control protocol")]
    Nonsense,
    /// A message that asks for what nobody may ask for.
    #[error("{0}")]
    Excess(&'static str),
}

/// The packet of a message.
///
/// # Errors
/// It is longer than [`MESSAGE_MAX`].
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, Malformed> {
    let packet = postcard::to_extend(message, vec![VERSION]).map_err(|_| Malformed::Nonsense)?;
    if packet.len() > MESSAGE_MAX { Err(Malformed::Excess("it is too long")) } else { Ok(packet) }
}

/// The message of a packet.
///
/// # Errors
/// Another version, or bytes that are no message.
pub fn decode<T: DeserializeOwned>(packet: &[u8]) -> Result<T, Malformed> {
    let (version, rest) = packet.split_first().ok_or(Malformed::Nonsense)?;
    if *version != VERSION {
        return Err(Malformed::Version(*version));
    }
    match postcard::take_from_bytes(rest) {
        Ok((message, [])) => Ok(message),
        _ => Err(Malformed::Nonsense),
    }
}

/// As many at a time as fit into a message.
pub fn batches(changes: Vec<(Change, String)>) -> Vec<Vec<(Change, String)>> {
    let mut batches: Vec<Vec<(Change, String)>> = Vec::new();
    let mut bytes = MESSAGE_MAX;
    for (change, name) in changes {
        bytes += name.len() + 8;
        if bytes > MESSAGE_MAX / 2 {
            batches.push(Vec::new());
            bytes = name.len() + 8;
        }
        batches.last_mut().into_iter().for_each(|batch| batch.push((change, name.clone())));
    }
    batches
}

/// What a process of ours is told of an entry: without a version, for it is as old as we are.
///
/// # Errors
/// It is too long.
pub fn encode_entry(entry: &Entry) -> Result<Vec<u8>, Malformed> {
    postcard::to_stdvec(entry).map_err(|_| Malformed::Nonsense)
}

impl Entry {
    /// Refuses what no client of ours says.
    ///
    /// # Errors
    /// What is wrong.
    pub fn check(&self) -> Result<(), Malformed> {
        let excess = |is_there: bool, what| if is_there { Err(Malformed::Excess(what)) } else { Ok(()) };
        excess(self.argv.len() > WORDS_MAX, "its command has too many words")?;
        excess(self.argv.iter().any(|word| word.contains('\0')), "its command has a NUL in it")?;
        excess(self.argv.first().is_some_and(String::is_empty), "its command has no name")?;
        excess(self.argv.is_empty() && self.manner == Manner::Plain, "it names no command")?;
        let is_fine = |(name, value): &(String, String)| VARIABLES.contains(&&**name) && is_plain(value);
        let fine = self.environment.len() <= VARIABLES.len() && self.environment.iter().all(is_fine);
        excess(!fine, "it says more of its surroundings than TERM, LANG and COLORTERM")
    }
}

/// Whether a value is one that terminals and locales are called by.
pub fn is_plain(value: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.+@:".contains(&byte);
    !value.is_empty() && value.len() <= VALUE_MAX && value.bytes().all(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            name: "shop".into(),
            argv: vec!["ls".into(), "-l".into()],
            environment: vec![("TERM".into(), "xterm-256color".into())],
            manner: Manner::Terminal(Size { rows: 24, columns: 80 }),
        }
    }

    #[test]
    fn a_message_comes_back_as_it_went() {
        let ask = Ask::Enter(entry());
        assert_eq!(decode(&encode(&ask).expect("short")), Ok(ask));
        let longest = Answer::Terminal(vec![7; MISSED_MAX]);
        assert_eq!(decode(&encode(&longest).expect("short")), Ok(longest));
    }

    #[test]
    fn another_version_and_whatever_is_cut_or_longer_is_refused() {
        let packet = encode(&Ask::Enter(entry())).expect("short");
        assert_eq!(decode::<Ask>(&[&[2], &packet[1..]].concat()), Err(Malformed::Version(2)));
        (0..packet.len()).for_each(|end| assert!(decode::<Ask>(&packet[..end]).is_err(), "{end}"));
        assert_eq!(decode::<Ask>(&[&packet[..], &[0]].concat()), Err(Malformed::Nonsense));
        assert_eq!(decode::<Ask>(&[1, 200, 1]), Err(Malformed::Nonsense));
        assert!(encode(&Answer::Refused("x".repeat(MESSAGE_MAX))).is_err());
    }

    /// Row C4.
    #[test]
    fn nothing_but_the_terminal_is_told_of_by_a_client() {
        let with =
            |name: &str, value: &str| Entry { environment: vec![(name.into(), value.into())], ..entry() };
        assert_eq!(entry().check(), Ok(()));
        for (name, value) in [("LD_PRELOAD", "x"), ("TERM", ""), ("TERM", "a b"), ("LANG", "a\0"), ("", "x")]
        {
            assert!(with(name, value).check().is_err(), "{name}={value}");
        }
        assert!(with("TERM", &"x".repeat(65)).check().is_err());
        let plain = Entry { argv: Vec::new(), manner: Manner::Plain, ..entry() };
        assert!(plain.check().is_err());
        assert!(Entry { argv: vec!["a\0".into()], ..entry() }.check().is_err());
        assert!(Entry { argv: vec![String::new()], ..entry() }.check().is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_packet_makes_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..256)) {
            let _ = decode::<Ask>(&bytes);
            let _ = decode::<Answer>(&bytes);
            let _ = decode::<Say>(&bytes);
        }
    }
}
