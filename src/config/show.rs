//! Pure. Text of strangers, made fit to be shown on a terminal.

use unicode_width::UnicodeWidthChar;

/// Columns of an excerpt, without the marks where it was cut.
const EXCERPT_MAX: usize = 120;
/// Most of these columns lie before the caret.
const BEFORE_MAX: usize = 60;
/// Characters of a value quoted in a sentence.
const QUOTED_MAX: usize = 60;

/// A value as it is quoted in a sentence: in backticks, escaped, cut when it is long.
pub fn quoted(text: &str) -> String {
    let cut: String = text.chars().take(QUOTED_MAX).collect();
    let more = if cut.len() < text.len() { "…" } else { "" };
    format!("`{}{more}`", printable(&cut))
}

/// The text as one word of a shell, which takes it for no option.
pub fn shell_word(text: &str) -> String {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || "/._-+=:,@%".contains(one);
    let here = if text.starts_with('-') { "./" } else { "" };
    match !text.is_empty() && text.chars().all(is_plain) {
        true => format!("{here}{text}"),
        false => format!("'{here}{}'", text.replace('\'', r"'\''")),
    }
}

/// The text with everything escaped that a terminal would obey; tabs become spaces.
pub fn printable(text: &str) -> String {
    text.chars().map(|one| shown(one).0).collect()
}

/// The part of a line around a column (bytes, from 1), and the display column (from 0) of that place in it.
pub fn excerpt(line: &str, column: u32) -> (String, usize) {
    let at = boundary(line, (column as usize).saturating_sub(1));
    let (before, before_width) = head(line[..at].chars().rev(), BEFORE_MAX);
    let (after, _) = head(line[at..].chars(), EXCERPT_MAX - before_width);
    let left = if before.len() < line[..at].chars().count() { "…" } else { "" };
    let right = if after.len() < line[at..].chars().count() { "…" } else { "" };
    let before: String = before.into_iter().rev().collect();
    let after: String = after.into_iter().collect();
    (format!("{left}{before}{after}{right}"), before_width + usize::from(!left.is_empty()))
}

/// The first characters, as shown, that fit into `max` columns, and their width.
fn head(chars: impl Iterator<Item = char>, max: usize) -> (Vec<String>, usize) {
    let mut width = 0;
    let fitting = chars.map(shown).take_while(|(_, wide)| {
        width += wide;
        width <= max
    });
    let taken: Vec<(String, usize)> = fitting.collect();
    let width = taken.iter().map(|(_, wide)| wide).sum();
    (taken.into_iter().map(|(text, _)| text).collect(), width)
}

/// One character as it is shown, and its width in columns.
fn shown(one: char) -> (String, usize) {
    if one == '\t' {
        return (" ".to_owned(), 1);
    }
    if is_obeyed(one) {
        let escaped = one.escape_default().to_string();
        let width = escaped.len();
        return (escaped, width);
    }
    (one.to_string(), one.width().unwrap_or(0))
}

/// Control characters, and the invisible ones that change the order or the look of others.
fn is_obeyed(one: char) -> bool {
    let invisible = matches!(one, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    one.is_control() || invisible
}

/// The byte index, or the nearest one before it, at which a character starts.
fn boundary(text: &str, index: usize) -> usize {
    let index = index.min(text.len());
    (0..=index).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
