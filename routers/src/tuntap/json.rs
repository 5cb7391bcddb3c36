//! Pure. JSON, written as it comes (RFC 8259).

use std::fmt::{Display, Write as _};

/// A text of JSON that grows.
#[derive(Debug, Default)]
pub(super) struct Json {
    text: String,
    /// Whether something stands before what comes next.
    follows: bool,
}

impl Json {
    /// Whether this has room: otherwise it is as if it had never been written.
    pub(super) fn fits(&mut self, most: usize, fill: impl FnOnce(&mut Self)) -> bool {
        let before = (self.text.len(), self.follows);
        fill(self);
        let fits = self.text.len() <= most;
        if !fits {
            self.text.truncate(before.0);
            self.follows = before.1;
        }
        fits
    }

    /// All of it.
    pub(super) fn text(self) -> String {
        self.text
    }

    fn next(&mut self) {
        if std::mem::replace(&mut self.follows, true) {
            self.text.push(',');
        }
    }

    fn key(&mut self, key: &str) {
        self.next();
        self.quote(key);
        self.text.push(':');
        self.follows = false;
    }

    fn nested(&mut self, [open, close]: [char; 2], fill: impl FnOnce(&mut Self)) {
        self.next();
        self.text.push(open);
        self.follows = false;
        fill(self);
        self.text.push(close);
        self.follows = true;
    }

    /// An object.
    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Self)) {
        self.nested(['{', '}'], fill);
    }

    /// An object in an object.
    pub(super) fn object_at(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.object(fill);
    }

    /// A row in an object.
    pub(super) fn row_at(&mut self, key: &str, fill: impl FnOnce(&mut Self)) {
        self.key(key);
        self.nested(['[', ']'], fill);
    }

    /// A number in an object.
    pub(super) fn number_at(&mut self, key: &str, number: impl Into<u64>) {
        self.key(key);
        let _ = write!(self.text, "{}", number.into());
        self.follows = true;
    }

    /// A text in an object.
    pub(super) fn text_at(&mut self, key: &str, text: impl Display) {
        self.key(key);
        self.text_of(text);
    }

    /// A text in a row.
    pub(super) fn text_of(&mut self, text: impl Display) {
        self.next();
        self.quote(&text.to_string());
    }

    fn quote(&mut self, text: &str) {
        self.text.push('"');
        for sign in text.chars() {
            let _ = match sign {
                '"' | '\\' => write!(self.text, "\\{sign}"),
                sign if sign.is_control() => write!(self.text, "\\u{:04x}", u32::from(sign)),
                sign => write!(self.text, "{sign}"),
            };
        }
        self.text.push('"');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_has_in_it_is_a_text() {
        let mut json = Json::default();
        json.object(|json| {
            json.text_at("na\"me", "a\\\"b\n\u{85}é");
            json.number_at("n", 7_u32);
            json.row_at("row", |json| {
                json.text_of("x");
                json.object(|json| json.object_at("o", |_| {}));
                json.text_of("y");
            });
        });
        let wanted = r#"{"na\"me":"a\\\"b\u000a\u0085é","n":7,"row":["x",{"o":{}},"y"]}"#;
        assert_eq!(json.text(), wanted);
    }

    #[test]
    fn what_does_not_fit_leaves_nothing_behind() {
        let mut json = Json::default();
        json.row_at("r", |json| {
            assert!(json.fits(10, |json| json.text_of("one")));
            assert!(!json.fits(15, |json| json.text_of("two")));
            assert!(json.fits(14, |json| json.text_of(3)));
        });
        assert_eq!(json.text(), r#""r":["one","3"]"#);
    }
}
