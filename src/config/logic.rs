//! Pure. The words that repeat lines or leave them out: `for…`, `if…`, `else`, `end…`.

use crate::options::find;

/// A word of logic, as a key of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Begins lines that are repeated.
    Loop(Loop),
    /// Begins lines that count under a condition.
    If(Test),
    /// Begins the lines that count otherwise.
    Else,
    /// Ends what this name ends.
    End(Ends),
}

/// Over what lines are repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loop {
    /// Words between spaces.
    Words,
    /// Paths that fit a pattern; the pattern itself when there are none.
    Glob,
    /// 1, 2, 3 … up to a number.
    Times,
    /// Lines of a file.
    Lines,
}

/// A condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Test {
    /// What is asked.
    pub about: About,
    /// True for the `if-not-…` forms.
    pub negated: bool,
}

/// What a condition asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    /// An option or placeholder given so far, `name` or `name=value`.
    Option,
    /// A variable of the environment, `NAME` or `NAME=value`.
    Variable,
    /// Whether uWSGI has started itself again.
    Reload,
    /// The host's name.
    Hostname,
    /// The host's name, by a regular expression.
    HostnameMatch,
    /// A path that may be read.
    Exists,
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A plugin of uWSGI.
    Plugin,
    /// The user that reads the config, by number or name.
    User,
    /// Its group.
    Group,
}

/// What an ending word ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// `endfor`.
    Loop,
    /// `endif`.
    If,
    /// `end`: either.
    Any,
}

impl Ends {
    /// True when it ends a block that began with this word.
    pub fn fits(self, opening: Word) -> bool {
        match self {
            Self::Any => true,
            Self::Loop => matches!(opening, Word::Loop(_)),
            Self::If => matches!(opening, Word::If(_)),
        }
    }
}

/// The word of logic that a key is.
pub fn word(key: &str) -> Option<Word> {
    // Most keys are none: this spares them the search.
    if !key.starts_with(['f', 'i', 'e']) {
        return None;
    }
    let name = find(key)?.1.name;
    Some(match name {
        "for" => Word::Loop(Loop::Words),
        "for-glob" => Word::Loop(Loop::Glob),
        "for-times" => Word::Loop(Loop::Times),
        "for-readline" => Word::Loop(Loop::Lines),
        "else" => Word::Else,
        "endfor" => Word::End(Ends::Loop),
        "endif" => Word::End(Ends::If),
        "end" => Word::End(Ends::Any),
        _ => Word::If(test(name.strip_prefix("if-")?)?),
    })
}

fn test(name: &str) -> Option<Test> {
    let (negated, name) = name.strip_prefix("not-").map_or((false, name), |name| (true, name));
    let about = match name {
        "opt" => About::Option,
        "env" => About::Variable,
        "reload" => About::Reload,
        "hostname" => About::Hostname,
        "hostname-match" => About::HostnameMatch,
        "exists" => About::Exists,
        "file" => About::File,
        "dir" => About::Directory,
        "plugin" => About::Plugin,
        "uid" => About::User,
        "gid" => About::Group,
        _ => return None,
    };
    Some(Test { about, negated })
}

impl About {
    /// True when later lines of the config can change the answer.
    pub fn is_of_the_config(self) -> bool {
        self == Self::Option
    }

    /// True when `%(_)` stands for what was asked about, even if the condition was negated.
    pub fn names_its_subject(self) -> bool {
        !matches!(self, Self::Option | Self::Variable | Self::Reload)
    }
}

/// `name` or `name=value`: whether what the name stands for is there, and is that.
pub fn is_given(argument: &str, value_of: impl FnOnce(&str) -> Option<String>) -> (bool, Option<String>) {
    let (name, wanted) = match argument.split_once('=') {
        Some((name, wanted)) => (name, Some(wanted)),
        None => (argument, None),
    };
    let value = value_of(name);
    (value.as_deref().is_some_and(|value| wanted.is_none_or(|wanted| wanted == value)), value)
}

/// True when an id is meant by its number or by its name, which is asked for only then.
pub fn is_identity(argument: &str, id: u32, name: impl FnOnce() -> Option<String>) -> bool {
    match argument.parse::<u32>() {
        Ok(number) => number == id,
        Err(_) => name().is_some_and(|name| name == argument),
    }
}
