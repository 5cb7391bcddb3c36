//! Pure. Patterns of names: `*`, `?`, `[a-z]`, `[!a-z]`. Whatever a pattern is, it takes no longer than its length times that of the
//! name: patterns are a tenant's, and nobody is to wait for them.

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// This character.
    One(char),
    /// Any one.
    Any,
    /// Any number of them.
    Many,
    /// One of these ranges, or none of them.
    Class { ranges: Vec<(char, char)>, inverted: bool },
}

impl Pattern {
    /// Reads it. A bracket that is not closed is a bracket.
    pub fn of(text: &str) -> Self {
        let letters: Vec<char> = text.chars().collect();
        let mut pieces = Vec::new();
        let mut rest = &letters[..];
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            pieces.push(match first {
                '*' => Piece::Many,
                '?' => Piece::Any,
                '[' => match class(after) {
                    Some((class, after)) => {
                        rest = after;
                        class
                    }
                    None => Piece::One('['),
                },
                letter => Piece::One(*letter),
            });
        }
        Self(pieces)
    }

    /// Whether the whole name is such a one. Only the last `*` is ever tried again: one that came before need not take more.
    pub fn matches(&self, name: &str) -> bool {
        let letters: Vec<char> = name.chars().collect();
        let (mut at, mut piece, mut again) = (0, 0, None);
        while at < letters.len() {
            match self.0.get(piece) {
                Some(Piece::Many) => {
                    again = Some((piece, at));
                    piece += 1;
                }
                Some(one) if one.is(letters[at]) => (at, piece) = (at + 1, piece + 1),
                _ => match again {
                    Some((star, from)) => {
                        again = Some((star, from + 1));
                        (at, piece) = (from + 1, star + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0[piece..].iter().all(|one| *one == Piece::Many)
    }
}

impl Piece {
    fn is(&self, letter: char) -> bool {
        match self {
            Self::One(one) => *one == letter,
            Self::Any | Self::Many => true,
            Self::Class { ranges, inverted } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&letter)) != *inverted
            }
        }
    }
}

/// What stands behind a bracket, and what comes after it. A `]` that comes first is one of its characters.
fn class(letters: &[char]) -> Option<(Piece, &[char])> {
    let inverted = matches!(letters.first(), Some('!' | '^'));
    let inside = &letters[usize::from(inverted)..];
    let end = 1 + inside.iter().skip(1).position(|letter| *letter == ']')?;
    let mut ranges = Vec::new();
    let mut rest = &inside[..end];
    while let Some((from, after)) = rest.split_first() {
        (ranges, rest) = match after {
            ['-', to, after @ ..] => (with(ranges, *from, *to), after),
            _ => (with(ranges, *from, *from), after),
        };
    }
    Some((Piece::Class { ranges, inverted }, &inside[end + 1..]))
}

fn with(mut ranges: Vec<(char, char)>, from: char, to: char) -> Vec<(char, char)> {
    ranges.push((from, to));
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "shop.ini"),
            ("s*p.ini", "shop.ini"),
            ("*.i*i", "a.ini"),
            ("sh?p.ini", "shop.ini"),
            ("[a-cs]hop*", "shop.ini"),
            ("[!a-c]hop.ini", "shop.ini"),
            ("[]x]", "]"),
            ("a[", "a["),
            ("**a**b", "xxaxxb"),
            ("*é", "café"),
        ] {
            assert!(Pattern::of(pattern).matches(name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "a"), ("?", ""), ("shop", "shop.ini"), ("*.ini", "a.xml"), ("[!s]*", "shop"), ("a[", "a")]
        {
            assert!(!Pattern::of(pattern).matches(name), "{pattern} {name}");
        }
    }

    /// Row C6.
    #[test]
    fn no_pattern_takes_long() {
        let pattern = Pattern::of(&"*a".repeat(2_000));
        assert!(!pattern.matches(&("a".repeat(4_000) + "b")));
    }

    proptest::proptest! {
        #[test]
        fn it_says_what_another_matcher_says(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let other = glob::Pattern::new(&pattern.replace("**", "*").replace("**", "*").replace("**", "*"));
            proptest::prop_assert_eq!(Pattern::of(&pattern).matches(&name), other.unwrap().matches(&name));
        }
    }
}
