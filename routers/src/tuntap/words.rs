//! Pure. Words of a rule with their places, and what is wrong with one.

use core::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::prefix::Prefix;

/// What is wrong with a text: where in it, cause, cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {cure}")]
pub struct Wrong {
    /// Bytes of the text that are meant; empty at its end when something is missing.
    pub span: Range<usize>,
    /// What is wrong, one sentence without a full stop.
    pub cause: String,
    /// What to do about it.
    pub cure: String,
}

/// A word and where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) start: usize,
}

/// The words of a text, one after the other.
#[derive(Clone)]
pub(super) struct Words<'a> {
    whole: &'a str,
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(whole: &'a str) -> Self {
        Self { whole, at: 0 }
    }

    /// The next word, which must be there.
    pub(super) fn expect(&mut self, what: &str, cure: &str) -> Result<Word<'a>, Wrong> {
        self.next().ok_or_else(|| self.missing(format!("{what} is missing"), cure))
    }

    /// Nothing may follow.
    pub(super) fn end(&mut self, cure: &str) -> Result<(), Wrong> {
        self.next().map_or(Ok(()), |word| Err(word.wrong("one word too many", cure)))
    }

    /// Something wrong with the end of the text.
    pub(super) fn missing(&self, cause: impl Into<String>, cure: &str) -> Wrong {
        let end = self.whole.trim_end().len();
        Wrong { span: end..end, cause: cause.into(), cure: cure.into() }
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Word<'a>;

    fn next(&mut self) -> Option<Word<'a>> {
        let rest = &self.whole[self.at..];
        let start = self.at + rest.find(|one: char| !one.is_ascii_whitespace())?;
        let rest = &self.whole[start..];
        let text = &rest[..rest.find(|one: char| one.is_ascii_whitespace()).unwrap_or(rest.len())];
        self.at = start + text.len();
        Some(Word { text, start })
    }
}

impl<'a> Word<'a> {
    /// Something wrong with this word.
    pub(super) fn wrong(&self, cause: impl Into<String>, cure: &str) -> Wrong {
        Wrong { span: self.start..self.start + self.text.len(), cause: cause.into(), cure: cure.into() }
    }

    /// What stands on either side of a sign, or the word alone.
    pub(super) fn split(self, sign: char) -> (Self, Option<Self>) {
        match self.text.split_once(sign) {
            Some((before, behind)) => {
                let start = self.start + before.len() + sign.len_utf8();
                (Self { text: before, ..self }, Some(Self { text: behind, start }))
            }
            None => (self, None),
        }
    }

    /// Digits only; signs and blanks are mistakes.
    pub(super) fn number<T: TryFrom<u64>>(self, cure: &str) -> Result<T, Wrong> {
        let digits = !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit());
        let number =
            digits.then(|| self.text.parse().ok()).flatten().and_then(|number: u64| number.try_into().ok());
        number.ok_or_else(|| self.wrong(format!("`{}` is no such number", self.text), cure))
    }

    pub(super) fn address(self) -> Result<IpAddr, Wrong> {
        let cure = "write it in full: 10.0.0.2, 2001:db8::2";
        self.text.parse().map_err(|_| self.wrong(format!("`{}` is no address", self.text), cure))
    }

    /// An address and port where datagrams go to.
    pub(super) fn socket(self) -> Result<SocketAddr, Wrong> {
        let cure = "write address and port: 192.0.2.1:5000, [2001:db8::1]:5000";
        let wrong = || self.wrong(format!("`{}` is no address with its port", self.text), cure);
        let address: SocketAddr = self.text.parse().map_err(|_| wrong())?;
        if address.port() == 0 || address.ip().is_unspecified() { Err(wrong()) } else { Ok(address) }
    }

    /// An address, or one with the length of its network.
    pub(super) fn prefix(self) -> Result<Prefix, Wrong> {
        let (address, length) = self.split('/');
        let address = address.address()?;
        let Some(length) = length else { return Ok(Prefix::host(address)) };
        let cure = if address.is_ipv4() { "write 0 to 32" } else { "write 0 to 128" };
        let bits = length.number(cure)?;
        Prefix::new(address, bits)
            .ok_or_else(|| length.wrong(format!("no network is as long as {bits}"), cure))
    }
}
