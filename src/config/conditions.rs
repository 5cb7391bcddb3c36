//! Pure. Whether the lines of an `if…` count.

use super::blocks::Block;
use super::load::Loader;
use super::logic::{self, About, Test};
use super::place::{ConfigError, Entry};
use super::probe::FileKind;
use super::show::quoted;

/// Bytes of a compiled pattern of `if-hostname-match`.
const PATTERN_MAX: usize = 64 << 10;
/// Set by uWSGI when it has started itself again.
const RELOADS: &str = "UWSGI_RELOADS";

/// What a condition said, and what `%(_)` stands for behind it.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) holds: bool,
    pub(super) subject: Option<String>,
}

impl Loader<'_> {
    pub(super) fn ask(&mut self, test: Test, block: &mut Block, item: Option<&str>) -> Option<Held> {
        let argument = self.with_item(&block.opening, item)?;
        let known = block.held.get(&argument);
        let held = match known.filter(|_| block.in_else || !test.about.is_of_the_config()) {
            Some(held) => held.clone(),
            None => self.judge(test, &block.opening, &argument),
        };
        block.held.insert(argument, held.clone());
        if block.in_else {
            return Some(Held { holds: !held.holds, subject: None });
        }
        Some(held)
    }

    fn judge(&mut self, test: Test, opening: &Entry, argument: &str) -> Held {
        let subject = self.expanded(opening, argument).unwrap_or_else(|error| {
            self.fail(error);
            argument.to_owned()
        });
        let (found, value) = match test.about {
            About::Option => logic::is_given(&subject, |name| self.expander.defined(name)),
            About::Variable => logic::is_given(&subject, |name| self.expander.variable(name)),
            about => (self.look(about, opening, &subject), None),
        };
        let subject = if test.about.names_its_subject() { Some(subject) } else { value };
        Held { holds: found != test.negated, subject }
    }

    fn look(&mut self, about: About, opening: &Entry, subject: &str) -> bool {
        let (host, probes) = (self.world.host(), self.world.probes());
        match about {
            About::Reload => self.world.variable(RELOADS).is_some(),
            About::Hostname => host.hostname == subject,
            About::HostnameMatch => {
                let found = matches(subject, &host.hostname);
                found.unwrap_or_else(|cause| {
                    let error = ConfigError::at(&opening.value_place, cause);
                    self.fail(error.cure("a backslash before a sign makes it an ordinary one"));
                    false
                })
            }
            About::Exists => probes.is_readable(subject),
            About::File => probes.kind(subject) == Some(FileKind::File),
            About::Directory => probes.kind(subject) == Some(FileKind::Directory),
            About::User => logic::is_identity(subject, host.uid, || probes.user()),
            About::Group => logic::is_identity(subject, host.gid, || probes.group()),
            // liege loads none.
            About::Plugin | About::Option | About::Variable => false,
        }
    }
}

fn matches(pattern: &str, text: &str) -> Result<bool, String> {
    let built = regex_lite::RegexBuilder::new(pattern).size_limit(PATTERN_MAX).build();
    built
        .map(|regex| regex.is_match(text))
        .map_err(|error| format!("bad pattern {}: {error}", quoted(pattern)))
}
