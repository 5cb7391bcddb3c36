//! Filters of system calls that a config names: `strict`, or a profile in a file.

pub mod profile;

use std::path::Path;

use jail::Capabilities;
use jail::plan::{Filter, compile};

use crate::config::confine::Choice;
use crate::regular::read_regular;
use profile::Setting;

/// Most bytes of a profile.
const PROFILE_MAX: usize = 1 << 20;
/// What `strict` allows; `docs/filters.md` explains it.
const STRICT: &str = include_str!("strict.json");
/// Whoever gives something to the group of terminals is told of a read-only file system.
const TERMINALS: &str = include_str!("terminals.json");

/// The filter that is chosen beside the default, if one is: read with the rights of whoever asks.
///
/// # Errors
/// One sentence: what cannot be read, or what is wrong in it and where.
pub fn load(choice: &Choice, capabilities: Capabilities) -> Result<Option<Filter>, String> {
    let setting = Setting { capabilities, kernel: kernel() };
    match choice {
        Choice::Default | Choice::Off => Ok(None),
        Choice::Strict => filter("strict", STRICT, setting).map(Some),
        Choice::File(path) => {
            let name = path.display().to_string();
            let text =
                text(path).map_err(|error| format!("cannot read the seccomp profile {name}: {error}"))?;
            filter(&name, &text, setting).map(Some)
        }
    }
}

/// The strict one, for who has no capability.
pub fn strict() -> Filter {
    let setting = Setting { capabilities: Capabilities::NONE, kernel: kernel() };
    filter("strict", STRICT, setting).expect("it is our own, and a test reads it")
}

/// For whoever lives where the group of terminals has no number: dropbear and OpenSSH give a terminal to that group, go on where the file
/// system is read-only, and end at any other error.
pub fn terminals() -> Filter {
    let setting = Setting { capabilities: Capabilities::NONE, kernel: kernel() };
    filter("terminals", TERMINALS, setting).expect("it is our own, and a test reads it")
}

fn filter(name: &str, text: &str, setting: Setting) -> Result<Filter, String> {
    let rules = profile::read(text, setting).map_err(|error| {
        format!("{name}:{}:{}: no seccomp profile: {error}", error.line(), error.column())
    })?;
    let program = compile(&rules).ok_or_else(|| format!("{name}: more rules than the kernel takes"))?;
    Ok(Filter::kept(name, program))
}

fn text(path: &Path) -> std::io::Result<String> {
    String::from_utf8(read_regular(path, PROFILE_MAX)?).map_err(std::io::Error::other)
}

fn kernel() -> (u32, u32) {
    let name = rustix::system::uname();
    name.release().to_str().ok().and_then(profile::numbers).unwrap_or((0, 0))
}
