//! Pure. The command that checks the config of a vassal, with the paths that whoever asks may know.

use crate::config::shell_word;

/// What stands for both paths where they are unknown.
const FILE: &str = "FILE";

/// The Emperor's own config, if it was started with one.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The whole path of it.
    pub path: Option<String>,
    /// Everybody may read it.
    pub is_public: bool,
}

/// What somebody may know.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checks<'a> {
    /// The Emperor's config.
    rules: Option<&'a str>,
    /// The sources, by their monitors: some have no files.
    sources: &'a [String],
}

impl Rules {
    /// For a guest no more than he may read.
    pub fn for_reader<'a>(&'a self, is_master: bool, sources: &'a [String]) -> Checks<'a> {
        Checks { rules: self.path.as_deref().filter(|_| is_master || self.is_public), sources }
    }
}

impl Checks<'_> {
    /// `liege check`, of what this monitor has at this place.
    pub fn command(&self, monitor: usize, config: &str) -> String {
        let is_file = self.sources.get(monitor).is_some_and(|source| !source.contains("://"));
        let config = if is_file { shell_word(config) } else { FILE.into() };
        match self.rules {
            Some(rules) => format!("`liege check {} {config}`", shell_word(rules)),
            None => format!("`liege check {config}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_told_of_the_emperors_config_where_everybody_may_read_it() {
        let sources = ["/srv".to_owned(), "pg://db".to_owned()];
        let path = Some("/etc/my liege/e.ini".to_owned());
        let said = |is_public, is_master, monitor| {
            let rules = Rules { path: path.clone(), is_public };
            rules.for_reader(is_master, &sources).command(monitor, "/srv/a'b.ini")
        };
        let whole = r"`liege check '/etc/my liege/e.ini' '/srv/a'\''b.ini'`";
        assert_eq!([said(false, true, 0), said(true, false, 0)], [whole, whole]);
        assert_eq!(said(false, false, 0), r"`liege check '/srv/a'\''b.ini'`");
        assert_eq!(said(false, true, 1), "`liege check '/etc/my liege/e.ini' FILE`");
        assert_eq!(
            Rules::default().for_reader(true, &sources).command(0, "-x.ini"),
            "`liege check ./-x.ini`"
        );
    }
}
