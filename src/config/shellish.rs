//! Pure. Lines of a config that somebody may have written for a shell, and lines that another one undoes.

use super::place::{ConfigError, Entry};
use super::show::quoted;

/// What shells understand, where it stands as a word of its own.
const OPERATORS: [&str; 8] = ["|", "||", "&", "&&", ";", "<", ">", ">>"];

/// That a `command` has a word which only a shell would understand, and gets none.
pub fn unshelled(entry: &Entry) -> Option<ConfigError> {
    if entry.key != "command" {
        return None;
    }
    let words = unquoted(&entry.value);
    let odd = words.iter().enumerate().find_map(|(index, word)| odd(word, index == 0))?;
    let cause = format!("`command`: no shell stands in between, {} is passed on as it is", quoted(odd.text));
    Some(ConfigError::at(&entry.value_place, cause).cure(odd.cure))
}

/// `command` lines of a file that a later one of the same file replaces.
pub fn replaced(entries: &[Entry]) -> impl Iterator<Item = ConfigError> {
    let commands: Vec<&Entry> = entries.iter().filter(|entry| entry.key == "command").collect();
    let pairs: Vec<_> = commands
        .iter()
        .enumerate()
        .filter_map(|(index, entry)| {
            let mut later = commands[index + 1..].iter();
            later.find(|later| later.place.file == entry.place.file).map(|later| (*entry, *later))
        })
        .collect();
    pairs.into_iter().filter(|(entry, later)| entry.place != later.place).map(|(entry, later)| {
        let cause = format!("`command` is given again in line {}, and the last one counts", later.place.line);
        ConfigError::at(&entry.place, cause).cure(
            "leave out one of them; what runs beside it is an `attach-daemon`, or has a config of its own",
        )
    })
}

struct Odd<'a> {
    text: &'a str,
    cure: &'static str,
}

const SHELL: &str = "for a shell write: command = sh -c \"…\"";
const COMMENT: &str = "a comment has a line of its own; for a shell write: command = sh -c \"…\"";
const VARIABLE: &str = "a variable has a line of its own: env = NAME=VALUE";

fn odd(word: &str, is_first: bool) -> Option<Odd<'_>> {
    let found = |text, cure| Some(Odd { text, cure });
    if word == ";" || word == "#" {
        return found(word, COMMENT);
    }
    if is_first && word.split('/').next().is_some_and(|start| start.contains('=')) {
        return found(word, VARIABLE);
    }
    let to_descriptor = word.trim_start_matches(|one: char| one.is_ascii_digit()).starts_with(['<', '>']);
    let expands = word.contains('`') || variable(word);
    if OPERATORS.contains(&word) || to_descriptor || word.ends_with([';', '|']) || expands {
        return found(word, SHELL);
    }
    None
}

/// `$NAME`, `${…` or `$(…`.
fn variable(word: &str) -> bool {
    let behind = word.split('$').skip(1);
    behind
        .into_iter()
        .any(|text| text.starts_with(|one: char| one.is_ascii_alphabetic() || "_{(".contains(one)))
}

/// Words without what is quoted in them.
fn unquoted(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('\''), '\\') => {}
            // Whatever it is, it is an ordinary letter now.
            (_, '\\') => word.extend(letters.next().map(|_| 'x')),
            (Some(open), _) if open == letter => quote = None,
            (Some(_), _) => word.push('x'),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.push('x');
            }
            (None, _) if letter.is_whitespace() => words.push(std::mem::take(&mut word)),
            (None, _) => word.push(letter),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use crate::config::tests::load_text;

    fn told(text: &str) -> String {
        let loaded = load_text(&format!("[uwsgi]\n{text}\n"));
        loaded.oddities().iter().map(|error| format!("{error}\n")).collect()
    }

    #[test]
    fn words_of_a_shell_are_told_where_there_is_none() {
        insta::assert_snapshot!(told("command = echo a | cat; sleep 100"), @r#"
        a.ini:2:11: `command`: no shell stands in between, `|` is passed on as it is
          command = echo a | cat; sleep 100
                    ^
          for a shell write: command = sh -c "…"
        "#);
        insta::assert_snapshot!(told("command = /srv/app --port 80 ; the port"), @r#"
        a.ini:2:11: `command`: no shell stands in between, `;` is passed on as it is
          command = /srv/app --port 80 ; the port
                    ^
          a comment has a line of its own; for a shell write: command = sh -c "…"
        "#);
        for line in [
            "A=1 x",
            "x && y",
            "x > /dev/null",
            "x 2>&1",
            "x 2>/dev/null",
            "x $HOME",
            "x ${A}",
            "x `date`",
            "x; y",
            "x & y",
            "x # y",
            "x <in",
        ] {
            assert!(told(&format!("command = {line}")).contains("no shell stands"), "{line}");
        }
    }

    #[test]
    fn what_is_quoted_or_means_nothing_to_a_shell_is_not() {
        for line in [
            "sh -c \"a | b; c\"",
            "sh -c 'a; echo \\'",
            "find . -exec x {} \\;",
            "x http://a/?b=1&c=2",
            "x '^a$'",
            "x ^a$",
            "env A=1 x",
            "x A=1",
            "x *:80",
            "x a;b",
            "x \"it's; $HOME\"",
            "/srv/a=b/x",
            "x #1",
            "awk {print$1}",
        ] {
            assert_eq!(told(&format!("command = {line}")), "", "{line}");
        }
    }

    #[test]
    fn a_command_that_is_replaced_in_its_own_file_is_told() {
        insta::assert_snapshot!(told("command = x\nenv = A=1\ncommand = y"), @r#"
        a.ini:2:1: `command` is given again in line 4, and the last one counts
          command = x
          ^
          leave out one of them; what runs beside it is an `attach-daemon`, or has a config of its own
        "#);
        assert_eq!(told("for = a b\ncommand = %(_)\nendfor ="), "");
    }
}
