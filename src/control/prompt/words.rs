//! Pure. What is typed at the prompt, and what it could go on with.

use crate::cli;

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Nothing.
    Nothing,
    /// To leave.
    Leave,
    /// To be told what there is.
    Help,
    /// A verb and what follows it.
    Do(Vec<String>),
    /// No such thing: a sentence.
    Wrong(String),
}

/// Reads a line. `verbs`: those that there are; `address` stands behind each of them, if it is known.
pub fn parse(line: &str, verbs: &[&str], address: Option<&str>) -> Typed {
    let Some(mut words) = shlex::split(line) else {
        return Typed::Wrong("a quotation mark is open".into());
    };
    match words.first().map(String::as_str) {
        None => Typed::Nothing,
        Some("quit" | "exit") => Typed::Leave,
        Some("help" | "?") => Typed::Help,
        Some(verb) if verbs.contains(&verb) => {
            address.into_iter().for_each(|address| words.insert(1, address.to_owned()));
            Typed::Do(words)
        }
        Some(verb) => {
            let instead = cli::instead(verb).unwrap_or("`help` tells what there is");
            Typed::Wrong(format!("there is no `{verb}` here; {instead}"))
        }
    }
}

/// Where the last word of a line begins, and what it could become.
pub fn completions(line: &str, verbs: &[&str], names: impl FnOnce() -> Vec<String>) -> (usize, Vec<String>) {
    let start = line.rfind(' ').map_or(0, |space| space + 1);
    let begun = &line[start..];
    let is_first = line[..start].trim().is_empty();
    let known = match is_first {
        true => verbs.iter().copied().chain(["help", "quit"]).map(str::to_owned).collect(),
        false => names(),
    };
    // With the space that comes next.
    let fitting = known.into_iter().filter(|word| word.starts_with(begun));
    (start, fitting.map(|word| word + " ").collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: [&str; 3] = ["start", "status", "stop"];

    #[test]
    fn a_line_is_a_verb_and_its_words() {
        let words = |all: &[&str]| Typed::Do(all.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(parse(" stop  'a b' c ", &VERBS, None), words(&["stop", "a b", "c"]));
        assert_eq!(parse("status", &VERBS, Some("@x")), words(&["status", "@x"]));
        assert_eq!(
            ["", "quit", "?"].map(|line| parse(line, &VERBS, None)),
            [Typed::Nothing, Typed::Leave, Typed::Help]
        );
        for line in ["'", "run x", "sh"] {
            assert!(matches!(parse(line, &VERBS, None), Typed::Wrong(_)), "{line}");
        }
    }

    #[test]
    fn a_verb_comes_first_and_then_names() {
        let names = || vec!["shop.ini".to_owned(), "blog.ini".to_owned(), "all".to_owned()];
        assert_eq!(completions("sta", &VERBS, names), (0, vec!["start ".into(), "status ".into()]));
        assert_eq!(completions("stop s", &VERBS, names), (5, vec!["shop.ini ".into()]));
        assert_eq!(completions("stop a b", &VERBS, names), (7, vec!["blog.ini ".into()]));
        assert_eq!(completions("stop é", &VERBS, names), (5, vec![]));
    }
}
