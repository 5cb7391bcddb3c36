//! What a vassal runs, where, and what it logs to: told as its start tells it, where that can be seen from here.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::ground;
use super::sight::{Seen, Sight, below};
use crate::config::place::{ConfigError, Place};
use crate::config::vassal::daemons::{Command, Daemon};
use crate::config::vassal::{Patch, VassalConfig};
use crate::vassal::environment::PATH;
use crate::vassal::step::Step;
use crate::vassal::trouble::Trouble;
use crate::vassal::{not_run, state};

/// What is said with something that may be there by then.
const LATER: &str = ", unless something before it brings it";
/// The same of another root, whose files are not the host's.
const ELSEWHERE: &str = ", as far as its root can be seen from here";

/// What will keep it from running.
#[derive(Debug, Default)]
pub struct Judgement {
    /// For certain.
    pub errors: Vec<ConfigError>,
    /// As it is now.
    pub doubts: Vec<ConfigError>,
}

/// From where one looks.
pub struct Outlook<'a> {
    /// What is seen.
    pub sight: Sight<'a>,
    /// Where the vassal is born.
    pub born_in: Option<PathBuf>,
    /// `PATH` that it is born with.
    pub path: Option<&'a str>,
    /// The Emperor does something that may bring what is not there.
    pub is_brought: bool,
}

impl Judgement {
    /// Of one trouble: certain, or only what is there now.
    pub fn of(place: &Place, trouble: Trouble, is_certain: bool) -> Self {
        match is_certain {
            true => Self { errors: vec![error(place, trouble, "")], doubts: Vec::new() },
            false => Self { errors: Vec::new(), doubts: vec![error(place, trouble, LATER)] },
        }
    }

    /// Both.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.errors.extend(other.errors);
        self.doubts.extend(other.doubts);
        self
    }
}

struct Judge<'a> {
    config: &'a VassalConfig,
    steps: &'a [Step],
    outlook: &'a Outlook<'a>,
    judgement: Judgement,
}

/// Judges all that can be looked for.
pub fn judge(config: &VassalConfig, steps: &[Step], outlook: &Outlook<'_>) -> Judgement {
    // What is joined is seen by nobody.
    if steps.iter().any(|step| matches!(step, Step::Join(_))) {
        return Judgement::default();
    }
    let mut judge = Judge { config, steps, outlook, judgement: Judgement::default() };
    judge.directory();
    judge.log();
    judge.command();
    for daemon in &config.daemons.list {
        judge.daemon(&daemon.value, &daemon.place);
    }
    judge.judgement
}

impl Judge<'_> {
    fn directory(&mut self) {
        let Some(chdir) = &self.config.chdir else { return };
        let Some(path) = below(self.outlook.born_in.as_deref(), &chdir.value) else { return };
        let errno = match self.outlook.sight.look(&path) {
            Seen::Nothing => Errno::NOENT,
            Seen::Inert => Errno::NOTDIR,
            Seen::Directory | Seen::Unknown => return,
        };
        let is_it = |step: &Step| matches!(step, Step::Directory(_));
        self.tell(&chdir.place, is_it, state::no_directory(&chdir.value, errno));
    }

    /// Where the command is.
    fn in_directory(&self) -> Option<PathBuf> {
        let born_in = self.outlook.born_in.clone();
        let chdir = self.config.chdir.as_ref().map(|chdir| &chdir.value);
        let ways = chdir.into_iter().chain(&self.config.surroundings.last_directory);
        ways.fold(born_in, |at, way| below(at.as_deref(), way))
    }

    fn log(&mut self) {
        let Some(log) = &self.config.logs.file else { return };
        // Before the last directory is entered.
        let at = self.config.chdir.as_ref().map_or(self.outlook.born_in.clone(), |chdir| {
            below(self.outlook.born_in.as_deref(), &chdir.value)
        });
        let Some(path) = below(at.as_deref(), &log.value) else { return };
        let is_directory = self.outlook.sight.look(&path) == Seen::Directory;
        let errno = match path.parent().map(|parent| self.outlook.sight.look(parent)) {
            Some(Seen::Nothing) => Errno::NOENT,
            _ if is_directory => Errno::ISDIR,
            _ => return,
        };
        let is_it = |step: &Step| matches!(step, Step::LogTo(_) | Step::WriteLog(_));
        self.tell(&log.place, is_it, state::no_log(&log.value, errno));
    }

    fn command(&mut self) {
        let (config, at) = (self.config, self.in_directory());
        let is_it = |step: &Step| matches!(step, Step::Start(_) | Step::Become(_));
        let env = config.env.as_slice();
        if let Some(command) = &config.command {
            let program = command.value.first().map(String::as_str).unwrap_or_default();
            self.program(&command.place, is_it, (program, at.as_deref(), env), "");
        }
        for patch in config.privileged_patch.iter().chain(&config.unprivileged_patch) {
            if let Patch::Program(program) = &patch.value {
                self.program(&patch.place, is_it, (program, None, env), "");
            }
        }
    }

    fn daemon(&mut self, daemon: &Daemon, place: &Place) {
        let Command::Program(argv) = &daemon.command else { return };
        let Some(program) = argv.first() else { return };
        let env: Vec<(String, String)> = self.config.env.iter().chain(&daemon.env).cloned().collect();
        let at = self.in_directory();
        let at = daemon.chdir.as_ref().map_or(at.clone(), |own| below(at.as_deref(), own));
        let is_it = |step: &Step| matches!(step, Step::Daemon(_));
        let named = format!("daemon {}: ", daemon.name);
        self.program(place, is_it, (program, at.as_deref(), &env), &named);
    }

    fn program(
        &mut self,
        place: &Place,
        is_it: impl Fn(&Step) -> bool,
        (program, at, env): (&str, Option<&Path>, &[(String, String)]),
        named: &str,
    ) {
        let is_searched = !program.contains('/');
        let seen = if is_searched {
            self.search(program, env)
        } else {
            let path = below(at, Path::new(program));
            path.map_or(Seen::Unknown, |path| self.outlook.sight.look(&path))
        };
        let errno = match seen {
            Seen::Nothing => Errno::NOENT,
            Seen::Directory | Seen::Inert => Errno::ACCESS,
            Seen::Unknown => return,
        };
        let trouble = not_run(program, errno);
        let trouble = Trouble { cause: format!("{named}{}", trouble.cause), ..trouble };
        match is_searched {
            true => self.judgement.doubts.push(error(place, trouble, "")),
            false => self.tell(place, is_it, trouble),
        }
    }

    /// Only whether it is in none of them.
    fn search(&self, program: &str, env: &[(String, String)]) -> Seen {
        let own = env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| path.as_str());
        let path = own.or(self.outlook.path).unwrap_or(PATH);
        let looks_in = |directory: &str| self.outlook.sight.look(&Path::new(directory).join(program));
        let is_nowhere = path.split(':').all(|directory| looks_in(directory) == Seen::Nothing);
        if is_nowhere { Seen::Nothing } else { Seen::Unknown }
    }

    /// An error where nothing before can change it.
    fn tell(&mut self, place: &Place, is_it: impl Fn(&Step) -> bool, trouble: Trouble) {
        let is_certain = self.outlook.sight.is_hosts();
        let is_brought = self.outlook.is_brought || !ground::is_untouched_until(self.steps, is_it);
        match (is_certain, is_brought) {
            (true, false) => self.judgement.errors.push(error(place, trouble, "")),
            (_, true) => self.judgement.doubts.push(error(place, trouble, LATER)),
            (false, false) => self.judgement.doubts.push(error(place, trouble, ELSEWHERE)),
        }
    }
}

fn error(place: &Place, Trouble { cause, advice }: Trouble, reserve: &str) -> ConfigError {
    let error = ConfigError::at(place, format!("{cause}{reserve}"));
    match advice {
        Some(advice) => error.cure(advice),
        None => error,
    }
}
