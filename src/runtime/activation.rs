//! Sockets that a service manager opened for the Emperor itself (sd_listen_fds(3)): by their names, or by their kind.

use std::os::fd::RawFd;

use anyhow::{Result, bail};
use jail::sys::FIRST;

use crate::config::emperor::EmperorConfig;
use crate::config::place::{Place, Placed};
use crate::config::vassal::Address;
use crate::{inherited, log};

/// Most descriptors that are looked at.
const LEFT_MAX: i32 = 64;

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Stats,
    Commands,
    Trigger,
}

/// The config with every socket that was left for us in the place of its address.
///
/// # Errors
/// A socket whose name says what it is for, and which cannot be used for that.
pub fn adopted(config: &EmperorConfig) -> Result<EmperorConfig> {
    let mut config = config.clone();
    let mut all = left(&|name| std::env::var(name).ok());
    // Those without a name take what the others leave.
    all.sort_by_key(|(_, name)| purpose_of(name).is_none());
    for (number, name) in all {
        if is_named(&config, number) {
            continue;
        }
        let fits = |purpose| is_free(&config, purpose) && is_fit(purpose, number).is_ok();
        let purpose = match purpose_of(&name) {
            Some(purpose) => {
                if let Err(why) = is_fit(purpose, number) {
                    bail!("cannot use the socket `{name}` that was left for us: {why}");
                }
                if !is_free(&config, purpose) {
                    bail!("more than one socket `{name}` was left for us");
                }
                Some(purpose)
            }
            None => [Purpose::Stats, Purpose::Commands].into_iter().find(|purpose| fits(*purpose)),
        };
        match purpose {
            Some(purpose) => *slot(&mut config, purpose) = Some(placed(number)),
            None => log::warn("emperor", &format!("descriptor {number} was left for us and is not used")),
        }
    }
    Ok(config)
}

/// Numbers and names of what was left for this very process.
fn left(variable: &dyn Fn(&str) -> Option<String>) -> Vec<(RawFd, String)> {
    let ours = std::process::id().to_string();
    if variable("LISTEN_PID").is_none_or(|pid| pid != ours) {
        return Vec::new();
    }
    let count = variable("LISTEN_FDS").and_then(|text| text.parse().ok()).unwrap_or(0).clamp(0, LEFT_MAX);
    let names = variable("LISTEN_FDNAMES").unwrap_or_default();
    let names = names.split(':').map(str::to_owned).chain(std::iter::repeat(String::new()));
    (FIRST..FIRST + count).zip(names).collect()
}

fn purpose_of(name: &str) -> Option<Purpose> {
    match name {
        "stats" => Some(Purpose::Stats),
        "commands" => Some(Purpose::Commands),
        "trigger" => Some(Purpose::Trigger),
        _ => None,
    }
}

fn is_fit(purpose: Purpose, number: RawFd) -> Result<(), String> {
    match purpose {
        Purpose::Stats | Purpose::Trigger => inherited::listening(number).map(drop),
        Purpose::Commands => inherited::datagrams(number).map(drop),
    }
}

fn slot(config: &mut EmperorConfig, purpose: Purpose) -> &mut Option<Placed<Address>> {
    match purpose {
        Purpose::Stats => &mut config.stats,
        Purpose::Commands => &mut config.commands.socket,
        Purpose::Trigger => &mut config.commands.trigger,
    }
}

/// Nobody else was left for it.
fn is_free(config: &EmperorConfig, purpose: Purpose) -> bool {
    let address = match purpose {
        Purpose::Stats => &config.stats,
        Purpose::Commands => &config.commands.socket,
        Purpose::Trigger => &config.commands.trigger,
    };
    !matches!(address, Some(Placed { value: Address::Inherited(_), .. }))
}

/// `fd://N` of the config means this one.
fn is_named(config: &EmperorConfig, number: RawFd) -> bool {
    let all = [&config.stats, &config.more_stats, &config.commands.socket, &config.commands.trigger];
    all.into_iter().flatten().any(|address| address.value == Address::Inherited(number))
}

fn placed(number: RawFd) -> Placed<Address> {
    let file = "LISTEN_FDS".into();
    Placed { value: Address::Inherited(number), place: Place::whole(&file) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_for_this_process_is_taken() {
        let ours = std::process::id().to_string();
        let variables = |pid: String, count: &'static str, names: &'static str| {
            left(&move |name| match name {
                "LISTEN_PID" => Some(pid.clone()),
                "LISTEN_FDS" => Some(count.to_owned()),
                "LISTEN_FDNAMES" => Some(names.to_owned()),
                _ => None,
            })
        };
        assert_eq!(variables("1".into(), "1", "stats"), []);
        assert_eq!(variables(ours.clone(), "x", "stats"), []);
        assert_eq!(variables(ours.clone(), "-1", ""), []);
        let both = [(3, "stats".to_owned()), (4, String::new())];
        assert_eq!(variables(ours.clone(), "2", "stats"), both);
        assert_eq!(variables(ours, "2000000000", "").len(), 64);
    }
}
