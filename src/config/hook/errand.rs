//! Pure. What the administrator has done around vassals, as it stands in the Emperor's config.
//!
//! It travels as text, and is parsed again by the process that does it: one parser judges it, whoever asks.

use jail::{Namespaces, Phase};
use serde::{Deserialize, Serialize};

use super::{Hook, Verb};
use crate::config::show::quoted;
use crate::config::values::{self, Wrong, wrong};

const SETNS: &str = "write NAMESPACE,… HANDLER:ARGUMENTS, such as: net exec:/usr/sbin/ip link";

/// One thing to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Errand {
    /// When.
    pub phase: Phase,
    /// The family of options that it comes from.
    pub manner: Manner,
    /// The value of its option.
    pub text: String,
    /// Where that stands, for people; nothing where it is not known.
    pub origin: String,
}

/// How it is done, in the order in which that happens within a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Manner {
    /// `vassals-start-hook`, `vassals-stop-hook`.
    Program,
    /// `hook-PHASE`.
    Hook,
    /// `mount-PHASE`.
    Mount,
    /// `umount-PHASE`.
    Umount,
    /// `exec-PHASE`.
    Exec,
}

/// What it is, once its text is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// A program that gets the name of the vassal as its one argument; no shell is involved.
    Program(String),
    /// A handler or a mount, in these namespaces of the vassal (none: in those that we have).
    Hook(Namespaces, Hook),
    /// A shell command.
    Shell(String),
}

impl Errand {
    /// Reads the value of an option.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(phase: Phase, manner: Manner, text: &str) -> Result<Self, Wrong> {
        let errand = Self { phase, manner, text: text.to_owned(), origin: String::new() };
        errand.task().map(|_| errand)
    }

    /// What is to be done.
    ///
    /// # Errors
    /// What is wrong with its text; never for one that was parsed before.
    pub fn task(&self) -> Result<Task, Wrong> {
        let hook = |verb| Hook::parse(verb, &self.text).map(|hook| Task::Hook(Namespaces::NONE, hook));
        match self.manner {
            Manner::Program => program(&self.text).map(Task::Program),
            Manner::Hook if self.phase == Phase::AsEmperorSetns => inside(&self.text),
            Manner::Hook => hook(Verb::Hook),
            Manner::Mount => hook(Verb::Mount),
            Manner::Umount => hook(Verb::Umount),
            Manner::Exec => values::text(&self.text).map(Task::Shell),
        }
    }

    /// The option that it comes from.
    pub fn option(&self) -> String {
        let verb = match self.manner {
            Manner::Program if self.phase == Phase::AsVassal => return "vassals-start-hook".into(),
            Manner::Program => return "vassals-stop-hook".into(),
            // The only one of its phase that is called otherwise.
            Manner::Exec if self.phase == Phase::EmperorStart => return "exec-as-root".into(),
            Manner::Hook => "hook",
            Manner::Mount => "mount",
            Manner::Umount => "umount",
            Manner::Exec => "exec",
        };
        format!("{verb}-{}", self.phase.name())
    }

    /// Its option and its text, unless that is hidden.
    pub fn named(&self) -> String {
        format!("{} {}", self.option(), self.shown())
    }

    /// Its text, unless that is hidden.
    pub fn shown(&self) -> String {
        match self.task() {
            Ok(Task::Hook(_, Hook { shown: None, .. })) => "(hidden)".into(),
            _ => format!("`{}`", self.text),
        }
    }

    /// What a failure means.
    pub fn failure(&self) -> &'static str {
        match (self.phase, self.manner) {
            (Phase::EmperorStart, _) => "a failure ends the Emperor",
            (Phase::AsEmperor | Phase::AsEmperorSetns, _) | (_, Manner::Program) => "a failure is told",
            (Phase::AsOnDemandVassal | Phase::AsOnConfigVassal, _) => "a failure is told",
            _ => "a failure ends the start",
        }
    }
}

/// A path that does not depend on a directory which a tenant may own, or a name that is looked up in fixed ones.
fn program(text: &str) -> Result<String, Wrong> {
    let program = values::text(text)?;
    if program.contains('\0') || (program.contains('/') && !program.starts_with('/')) {
        return wrong(
            format!("{} depends on the working directory", quoted(&program)),
            "write the whole path, such as /usr/local/bin/NAME",
        );
    }
    Ok(program)
}

fn inside(text: &str) -> Result<Task, Wrong> {
    let Some((names, handler)) = text.trim_start().split_once(' ') else {
        return wrong(format!("{} has no blank between namespaces and handler", quoted(text)), SETNS);
    };
    let namespaces: Namespaces = values::namespaces(names)?;
    if namespaces.is_empty() {
        return wrong("names no namespace", SETNS);
    }
    if namespaces.has(Namespaces::FS) && !namespaces.has(Namespaces::USER) {
        return wrong(
            "among the vassal's mounts every path leads where the vassal wants, also for the host's root",
            "join its user namespace as well (fs,user), or use hook-as-vassal-before-drop",
        );
    }
    Hook::parse(Verb::Hook, handler.trim_start()).map(|hook| Task::Hook(namespaces, hook))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(phase: Phase, manner: Manner, text: &str) -> Result<Errand, Wrong> {
        Errand::parse(phase, manner, text)
    }

    #[test]
    fn what_is_named_can_be_written_again() {
        for (phase, manner, text, named) in [
            (Phase::AsVassal, Manner::Hook, "mkdir:/a", "hook-as-vassal `mkdir:/a`"),
            (Phase::AsEmperor, Manner::Mount, "tmpfs none /a", "mount-as-emperor `tmpfs none /a`"),
            (Phase::AsEmperor, Manner::Umount, "/a", "umount-as-emperor `/a`"),
            (Phase::AsVassal, Manner::Program, "/bin/a", "vassals-start-hook `/bin/a`"),
            (Phase::AsEmperor, Manner::Hook, "!write:/a secret", "hook-as-emperor (hidden)"),
        ] {
            assert_eq!(errand(phase, manner, text).expect(text).named(), named);
        }
    }

    #[test]
    fn a_program_never_depends_on_a_working_directory() {
        let refused = ["bin/a", "./a", "../a", "", "/a\0b"];
        for text in refused {
            assert!(errand(Phase::AsVassal, Manner::Program, text).is_err(), "{text}");
        }
        for text in ["/bin/a", "logger"] {
            assert!(errand(Phase::AsVassal, Manner::Program, text).is_ok(), "{text}");
        }
    }

    #[test]
    fn namespaces_stand_before_the_handler() {
        let parsed =
            |text| errand(Phase::AsEmperorSetns, Manner::Hook, text).and_then(|errand| errand.task());
        let Ok(Task::Hook(namespaces, hook)) = parsed("net,uts  hostname:box") else {
            panic!("it is a hook in namespaces")
        };
        assert_eq!((namespaces.to_string(), hook.shown.as_deref()), ("net,uts".into(), Some("hostname:box")));
    }

    #[test]
    fn the_mounts_of_a_vassal_are_entered_with_its_own_rights_only() {
        let parsed = |text| errand(Phase::AsEmperorSetns, Manner::Hook, text);
        for text in
            ["mnt mkdir:/a", "net,fs exec:id", "mkdir:/a", ", mkdir:/a", "clock mkdir:/a", "net mkdr:/a"]
        {
            assert!(parsed(text).is_err(), "{text}");
        }
        assert!(parsed("mnt,user mkdir:/a").is_ok());
    }
}
