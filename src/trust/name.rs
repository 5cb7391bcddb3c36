//! Pure. Which file names may name a vassal.

use std::fmt;

/// Longest name, in bytes; uWSGI's limit.
pub const NAME_MAX: usize = 254;

/// What is wrong with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameFault {
    /// Leading `.`, `~` or `#`, trailing `~` or `#`: belongs to an editor or is hidden. Never told.
    Hidden,
    /// Empty, or has a `/`.
    NoFileName,
    /// Longer than `NAME_MAX`.
    TooLong,
    /// Not UTF-8.
    NotUtf8,
    /// Could be taken for an option.
    LeadingDash,
    /// Would garble a log or a terminal.
    Unprintable,
    /// Escapes what follows it in logs and shells.
    Backslash,
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hidden => "its name marks it as hidden or as an editor's copy",
            Self::NoFileName => "its name is not a file name",
            Self::TooLong => "its name is longer than 254 bytes",
            Self::NotUtf8 => "its name is not UTF-8",
            Self::LeadingDash => "its name begins with a dash, like an option",
            Self::Unprintable => "its name has characters that do not print",
            Self::Backslash => "its name has a backslash",
        })
    }
}

/// Gives the name back as text if it may name a vassal.
pub fn judge_name(name: &[u8]) -> Result<&str, NameFault> {
    if name.starts_with(b".") || name.starts_with(b"~") || name.starts_with(b"#") {
        return Err(NameFault::Hidden);
    }
    if name.ends_with(b"~") || name.ends_with(b"#") {
        return Err(NameFault::Hidden);
    }
    if name.is_empty() || name.contains(&b'/') {
        return Err(NameFault::NoFileName);
    }
    if name.len() > NAME_MAX {
        return Err(NameFault::TooLong);
    }
    let text = str::from_utf8(name).map_err(|_| NameFault::NotUtf8)?;
    if text.starts_with('-') {
        return Err(NameFault::LeadingDash);
    }
    if text.chars().any(is_unprintable) {
        return Err(NameFault::Unprintable);
    }
    if text.contains('\\') {
        return Err(NameFault::Backslash);
    }
    Ok(text)
}

/// Controls, and the invisible characters that reorder or hide what stands beside them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_names_pass() {
        for name in
            ["shop.ini", "a b.ini", "käse.yml", "x:1.json", "$(id).ini", "`id`.ini", "'\".ini", "%n%s.ini"]
        {
            assert_eq!(judge_name(name.as_bytes()), Ok(name));
        }
    }

    #[test]
    fn hostile_and_hidden_names_do_not() {
        let long = "a".repeat(NAME_MAX - 3) + ".ini";
        for (name, fault) in [
            (&b".x.ini"[..], NameFault::Hidden),
            (b".ini", NameFault::Hidden),
            (b"..", NameFault::Hidden),
            (b"#x.ini#", NameFault::Hidden),
            (b"x.ini~", NameFault::Hidden),
            (b"~x.ini", NameFault::Hidden),
            (b"", NameFault::NoFileName),
            (b"a/b.ini", NameFault::NoFileName),
            (b"/etc/x.ini", NameFault::NoFileName),
            (long.as_bytes(), NameFault::TooLong),
            (b"\xff.ini", NameFault::NotUtf8),
            (b"-x.ini", NameFault::LeadingDash),
            (b"--ini", NameFault::LeadingDash),
            (b"a\nb.ini", NameFault::Unprintable),
            (b"a\x1b[2J.ini", NameFault::Unprintable),
            (b"a\x7f.ini", NameFault::Unprintable),
            ("a\u{202E}ini.x".as_bytes(), NameFault::Unprintable),
            (b"a\\n.ini", NameFault::Backslash),
        ] {
            assert_eq!(judge_name(name), Err(fault), "{name:?}");
        }
        assert!(judge_name("a".repeat(NAME_MAX).as_bytes()).is_ok());
    }
}
