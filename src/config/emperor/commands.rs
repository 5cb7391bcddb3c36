//! Pure. Options of what an Emperor is told while it runs.

use std::path::PathBuf;

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, address, flag, path, text, wrong};
use crate::config::vassal::Address;

/// What those options say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Commands {
    /// `emperor-command-socket`: never TCP.
    pub socket: Option<Placed<Address>>,
    /// `emperor-control-socket`: nothing for `none`.
    pub control: Option<Placed<Option<Address>>>,
    /// `emperor-state-directory`: what is to be remembered.
    pub state: Option<Placed<PathBuf>>,
    /// `emperor-wait-for-command`.
    pub wait: Option<Placed<bool>>,
    /// `emperor-wait-for-command-ignore`: names of vassals.
    pub except: Vec<String>,
    /// `emperor-trigger-socket`.
    pub trigger: Option<Placed<Address>>,
    /// `master-fifo`.
    pub fifo: Option<Placed<PathBuf>>,
}

impl Commands {
    /// Whether vassals wait for the command `spawn`.
    pub fn waits(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.value)
    }

    /// A command that nobody could give would be waited for in vain.
    pub(super) fn contradiction(&self) -> Option<ConfigError> {
        let wait = self.wait.as_ref().filter(|wait| wait.value && self.socket.is_none())?;
        let error =
            ConfigError::at(&wait.place, "`emperor-wait-for-command` without `emperor-command-socket`");
        Some(error.cure("add `emperor-command-socket = PATH`: the command comes from there"))
    }
}

/// Takes in such an option; false for any other one.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn apply(commands: &mut Commands, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
    match name {
        "emperor-command-socket" => commands.socket = Some(entry.placed(value(entry, named_by_the_kernel)?)),
        "emperor-control-socket" => commands.control = Some(entry.placed(value(entry, place_or_none)?)),
        "emperor-state-directory" => commands.state = Some(entry.placed(value(entry, path)?)),
        "emperor-wait-for-command" => commands.wait = Some(entry.placed(value(entry, flag)?)),
        "emperor-wait-for-command-ignore" => commands.except.push(value(entry, text)?),
        "emperor-trigger-socket" => commands.trigger = Some(entry.placed(value(entry, address)?)),
        "master-fifo" => match &commands.fifo {
            Some(known) => {
                let cause = format!("a second `master-fifo` ({} has one)", known.place);
                return Err(ConfigError::at(&entry.place, cause).cure("leave one of the two out"));
            }
            None => commands.fifo = Some(entry.placed(value(entry, path)?)),
        },
        _ => return Ok(false),
    }
    Ok(true)
}

/// Where the kernel says who speaks: not over a network.
fn named_by_the_kernel(text: &str) -> Result<Address, Wrong> {
    match address(text)? {
        Address::Tcp(_) => wrong("nobody can tell who speaks over UDP", "use a path or @NAME"),
        address @ (Address::Unix(_) | Address::Abstract(_) | Address::Inherited(_)) => Ok(address),
    }
}

/// A path or an abstract name, or nowhere.
fn place_or_none(text: &str) -> Result<Option<Address>, Wrong> {
    if text == "none" {
        return Ok(None);
    }
    match address(text)? {
        address @ (Address::Unix(_) | Address::Abstract(_)) => Ok(Some(address)),
        Address::Tcp(_) => wrong("nobody can tell who speaks over TCP", "use a path, @NAME or none"),
        Address::Inherited(_) => wrong("it is made by the Emperor itself", "use a path, @NAME or none"),
    }
}
