//! Which Emperor is meant, and which of its vassals.

use std::os::unix::fs::FileTypeExt;

use anyhow::{Result, anyhow};
use glob::Pattern;

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
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let is = |wanted: &str, pattern: &Option<Pattern>| {
            wanted == name || wanted == stem || pattern.as_ref().is_some_and(|one| one.matches(name))
        };
        self.names.is_empty() || self.names.iter().any(|(wanted, pattern)| is(wanted, pattern))
    }

    /// Whether some are meant, not all.
    pub fn is_narrow(&self) -> bool {
        !self.names.is_empty()
    }
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
        assert!(target(&[]).means("anything"));
    }
}
