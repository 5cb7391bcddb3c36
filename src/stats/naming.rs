//! Pure. What people call a vassal: its name, and its source where another vassal has the same name.

use std::collections::BTreeSet;

/// The names in a list that are there more than once.
pub struct Naming<'a>(BTreeSet<&'a str>);

impl<'a> Naming<'a> {
    /// Of all these vassals.
    pub fn of(names: impl Iterator<Item = &'a str>) -> Self {
        let mut known = BTreeSet::new();
        Self(names.filter(|name| !known.insert(*name)).collect())
    }

    /// One of them, of this source.
    pub fn name(&self, name: &str, source: &str) -> String {
        if self.0.contains(name) { format!("{name} ({source})") } else { name.to_owned() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_stands_beside_a_name_that_two_sources_have() {
        let naming = Naming::of(["a.ini", "b.ini", "a.ini"].into_iter());
        assert_eq!(naming.name("a.ini", "/srv/x"), "a.ini (/srv/x)");
        assert_eq!(naming.name("b.ini", "/srv/x"), "b.ini");
    }
}
