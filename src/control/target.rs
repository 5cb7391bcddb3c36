//! Which Emperor is meant, and which of its vassals.

use std::os::unix::fs::FileTypeExt;

use anyhow::{Result, anyhow};
use glob::Pattern;

use super::messages::NAMES_MAX;
use super::wish::{ALL, stem};
use crate::config;
use crate::config::vassal::Address;

/// An Emperor, or the one at the usual place, and names or patterns of vassals; none means all.
pub struct Target {
    /// Where its stats are.
    pub address: Option<Address>,
    names: Vec<(String, Option<Pattern>)>,
}

impl Target {
    /// Reads `[ADDRESS] [NAME|GLOB...]`.
    ///
    /// # Errors
    /// An address that is none.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut words = words.peekable();
        let first = words.next_if(|word| is_address(word));
        let address = first.map(config::address).transpose().map_err(|wrong| anyhow!(wrong.cause))?;
        // What is no pattern can still be a name.
        let names = words.map(|word| (word.to_owned(), Pattern::new(word).ok())).collect();
        Ok(Self { address, names })
    }

    /// Whether this vassal is meant; `shop` means `shop.ini` too.
    pub fn means(&self, name: &str) -> bool {
        let means = |(wanted, pattern): &(String, Option<Pattern>)| is(name, wanted, pattern.as_ref());
        self.names.is_empty() || self.names.iter().any(means)
    }

    /// Whether this daemon of a vassal is: `shop/redis`, `*/redis`.
    pub fn means_daemon(&self, vassal: &str, daemon: &str) -> bool {
        let parts = self.names.iter().filter_map(|(wanted, _)| wanted.rsplit_once('/'));
        let mut parts =
            parts.map(|parts| <[&str; 2]>::from(parts).map(|part| (part, Pattern::new(part).ok())));
        parts.any(|[of, called]| {
            let is_called = called.0 == daemon || called.1.is_some_and(|one| one.matches(daemon));
            is_called && is(vassal, of.0, of.1.as_ref())
        })
    }

    /// The words, where they are few names and no patterns: then nobody else needs to be told of.
    pub fn plain_names(&self) -> Option<Vec<String>> {
        let is_plain = |word: &String| !word.contains(['*', '?', '[']) && word != ALL;
        let names: Vec<String> = self.names.iter().map(|(word, _)| word.clone()).collect();
        ((1..=NAMES_MAX).contains(&names.len()) && names.iter().all(is_plain)).then_some(names)
    }

    /// Each word as if it stood alone.
    pub fn words(&self) -> impl Iterator<Item = (&str, Self)> {
        self.names.iter().map(|one| (one.0.as_str(), Self { address: None, names: vec![one.clone()] }))
    }

    /// Whether some are meant, not all.
    pub fn is_narrow(&self) -> bool {
        !self.names.is_empty()
    }
}

/// Whether a vassal of this name is meant by a word, which may be a pattern.
fn is(name: &str, wanted: &str, pattern: Option<&Pattern>) -> bool {
    let fits = |one: &str| one == wanted || pattern.is_some_and(|pattern| pattern.matches(one));
    wanted == ALL || names_of(name).any(fits)
}

/// What a vassal of this name may be called: the whole of it, or what comes before its suffix.
pub fn names_of(name: &str) -> impl Iterator<Item = &str> {
    [name, stem(name)].into_iter()
}

/// An Emperor, and words for some of its vassals as they were typed.
#[derive(Debug)]
pub struct Named {
    /// Where the stats or the control socket of the Emperor are; at the usual place if nothing is said.
    pub address: Option<Address>,
    /// Names, patterns, `all`.
    pub names: Vec<String>,
}

impl Named {
    /// Reads `[ADDRESS] NAME...`.
    ///
    /// # Errors
    /// An address that is none.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut words = words.peekable();
        let first = words.next_if(|word| is_address(word));
        let address = first.map(config::address).transpose().map_err(|wrong| anyhow!(wrong.cause))?;
        Ok(Self { address, names: words.map(str::to_owned).collect() })
    }
}

/// One vassal of an Emperor, and a command.
#[derive(Debug)]
pub struct Called {
    /// Where the stats or the control socket of the Emperor are; at the usual place if nothing is said.
    pub address: Option<Address>,
    /// The vassal, or a session.
    pub name: String,
    /// The command.
    pub command: Vec<String>,
}

impl Called {
    /// Reads `[ADDRESS] NAME [COMMAND...]`.
    ///
    /// # Errors
    /// An address that is none, or no name behind it.
    pub fn of<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut words = words.peekable();
        let first = words.next_if(|word| is_address(word));
        let address = first.map(config::address).transpose().map_err(|wrong| anyhow!(wrong.cause))?;
        let name = words.next().ok_or_else(|| anyhow!("no vassal is named"))?.to_owned();
        Ok(Self { address, name, command: words.map(str::to_owned).collect() })
    }
}

/// `@name`, `HOST:PORT`, a socket, or a path from `/` or `.` to where one should be; a config is none, a pattern neither, and
/// `shop/redis` is a daemon.
fn is_address(word: &str) -> bool {
    if word.contains(['*', '?', '[']) && !word.starts_with('[') {
        return false;
    }
    if let Ok(found) = std::fs::metadata(word) {
        return found.file_type().is_socket();
    }
    let port = word.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    port || word.starts_with(['@', '/', '.']) || word.contains("://")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(words: &[&str]) -> Target {
        Target::of(words.iter().copied()).expect("a target")
    }

    #[test]
    fn the_first_word_is_an_address_where_it_looks_like_one() {
        for address in ["@liege", "127.0.0.1:9191", "[::1]:9191", "/run/nowhere/stats.sock"] {
            assert!(target(&[address]).address.is_some(), "{address}");
        }
        for name in ["shop.ini", "shop*", "/srv/*.ini", "/etc/passwd", "shop/redis"] {
            assert!(target(&[name]).address.is_none(), "{name}");
        }
    }

    #[test]
    fn a_vassal_is_meant_by_its_name_its_stem_or_a_pattern() {
        let narrow = target(&["shop", "a[", "b*.ini"]);
        let meant = |name: &&str| narrow.means(name);
        let names = ["shop.ini", "a[", "bar.ini", "shopping.ini", "c.ini"];
        assert_eq!(names.into_iter().filter(meant).collect::<Vec<_>>(), ["shop.ini", "a[", "bar.ini"]);
        assert!(target(&[]).means("anything") && target(&["all"]).means("anything"));
        assert_eq!(target(&["all"]).plain_names(), None, "that is no name");
        let fits = |pattern, name| target(&[pattern]).means(name);
        assert!(fits("b?r", "bar.ini") && fits("*-worker", "a-worker.ini") && !fits("b?", "bar.ini"));
        let words = ["shop", "b*"];
        let alone = target(&words);
        let means = alone.words().map(|(word, one)| (word, one.means("shop.ini"), one.means("bar.ini")));
        assert_eq!(means.collect::<Vec<_>>(), [("shop", true, false), ("b*", false, true)]);
    }

    #[test]
    fn a_daemon_is_meant_by_its_vassal_and_its_name_or_by_patterns() {
        let meant = |word: &str| target(&[word]).means_daemon("shop.ini", "redis");
        assert!(
            ["shop/redis", "shop.ini/redis", "*/redis", "sh*/r*", "sh?p/r*", "*op/redis"]
                .iter()
                .all(|word| meant(word))
        );
        assert!(!["shop", "redis", "shop/red", "blog/redis", "shop/redis/x"].iter().any(|word| meant(word)));
        assert!(!target(&[]).means_daemon("shop.ini", "redis") && !target(&["shop/redis"]).means("shop.ini"));
    }
}
