//! Pure. What a daemon runs: a program, or a line that only a shell understands.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{NAME_MAX, is_name};
use crate::config::values::{Wrong, text, words};

/// What makes a line the shell's: a program would get it as an ordinary letter.
const SHELLS: &[char] =
    &['|', '&', ';', '<', '>', '(', ')', '$', '`', '*', '?', '[', '~', '{', '\n', '#', '!'];
/// Words that no program is behind.
const BUILTINS: [&str; 22] = [
    ".", ":", "case", "cd", "command", "eval", "exit", "export", "for", "if", "read", "readonly", "set",
    "shift", "trap", "ulimit", "umask", "unset", "until", "wait", "while", "alias",
];
/// Words behind which a program stands.
const LEADS: [&str; 6] = ["exec", "do", "then", "else", "{", "("];
/// Words that end what others have begun.
const ENDS: [&str; 5] = ["done", "fi", "esac", "}", ")"];
/// A name where the program has none that can be one.
const NAMELESS: &str = "daemon";

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// Program and arguments, without a shell in between: whoever runs is the program itself.
    Program(Vec<String>),
    /// A line for the shell.
    Shell(String),
}

impl Command {
    /// What a daemon is called that runs this.
    pub fn name(&self) -> String {
        let first = match self {
            Self::Program(argv) => argv.first().map(String::as_str),
            Self::Shell(line) => program_of(line),
        };
        let file = first.and_then(|word| Path::new(word).file_name()).and_then(|name| name.to_str());
        let mut name = file.unwrap_or(NAMELESS).to_owned();
        name.retain(|letter| is_name(&format!("x{letter}")));
        // Room for a number behind it.
        name.truncate(NAME_MAX - 4);
        if is_name(&name) { name } else { NAMELESS.to_owned() }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(argv) => f.write_str(&argv.join(" ")),
            Self::Shell(line) => f.write_str(line),
        }
    }
}

/// Words are split as a shell splits them; what means more to a shell than words is left to one.
pub fn parse(line: &str) -> Result<Command, Wrong> {
    let line = text(line.trim())?;
    if is_shells(&line) {
        return Ok(Command::Shell(line));
    }
    let mut argv = words(&line)?;
    if argv.len() > 1 && argv[0] == "exec" {
        argv.remove(0);
    }
    Ok(Command::Program(argv))
}

/// The first word of it that is a program's, else the first one.
fn program_of(line: &str) -> Option<&str> {
    let mut firsts = parts(line).into_iter().filter_map(first_word);
    firsts.find(|word| !BUILTINS.contains(word) && !ENDS.contains(word)).or_else(|| first_word(line))
}

fn first_word(part: &str) -> Option<&str> {
    part.split_whitespace().find(|word| !word.contains('=') && !LEADS.contains(word))
}

/// What stands between `;`, `&`, `|` and ends of lines, where those are not quoted.
fn parts(line: &str) -> Vec<&str> {
    let (mut quote, mut from, mut parts) = (None, 0, Vec::new());
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, ';' | '&' | '|' | '\n') => {
                parts.push(&line[from..at]);
                from = at + 1;
            }
            (None, _) => {}
        }
    }
    parts.push(&line[from..]);
    parts
}

fn is_shells(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    line.contains(SHELLS) || first.contains('=') || BUILTINS.contains(&first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_is_there_only_where_the_line_needs_one() {
        let program = |line: &str| matches!(parse(line), Ok(Command::Program(_)));
        for line in ["memcached -p 11311 -u roberto", "/usr/sbin/dropbear -j -k", "a 'b c' \"d\""] {
            assert!(program(line), "{line}");
        }
        for line in ["a | b", "FOO=1 a", "cd /x && a", "a > log", "a $HOME", "while :; do a; done", "a *"] {
            assert_eq!(parse(line), Ok(Command::Shell(line.into())), "{line}");
        }
        assert_eq!(parse("exec a b"), Ok(Command::Program(vec!["a".into(), "b".into()])));
        assert!(parse("").is_err() && parse(" ").is_err() && parse("a 'b").is_err());
    }

    #[test]
    fn it_is_called_as_its_program() {
        let name = |line: &str| parse(line).expect("a command").name();
        assert_eq!(name("/usr/bin/redis-server x.conf"), "redis-server");
        assert_eq!(name("FOO=1 exec /bin/worker | tee x"), "worker");
        assert_eq!(name("'/bin/my daemon'"), "mydaemon");
        assert_eq!(name("(a)"), "a");
        for (line, is) in [
            ("cd /x; y -z", "y"),
            ("cd /srv && python3 w.py", "python3"),
            ("trap 'a; b' TERM; c", "c"),
            ("while :; do a; done", "a"),
            ("umask 077; cd /x", "umask"),
        ] {
            assert_eq!(name(line), is, "{line}");
        }
        assert_eq!(name("-x"), "daemon");
        assert!(is_name(&name(&"x".repeat(300))));
    }
}
