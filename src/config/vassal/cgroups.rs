//! Pure. uWSGI's cgroups of version 1, in a vassal's config.

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry};
use crate::config::show::quoted;
use crate::config::values::{Wrong, mode, wrong};

/// Cgroups that a vassal makes and enters, and what it writes into each of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cgroups {
    /// `cgroup`: absolute paths.
    pub paths: Vec<String>,
    /// `cgroup-opt`: a file of a cgroup and its content.
    pub options: Vec<(String, String)>,
    mode: Option<u32>,
}

/// Mode of the directories when `cgroup-dir-mode` says nothing.
const MODE: u32 = 0o700;

/// What version 2 has in the place of files of version 1, as options.
const INSTEAD: [(&str, &str); 9] = [
    ("memory.limit_in_bytes", "memory-max"),
    ("memory.soft_limit_in_bytes", "memory-high"),
    ("memory.memsw.", "swap-max"),
    ("cpu.shares", "cpu-weight"),
    ("cpu.cfs_", "cpu-max"),
    ("pids.max", "pids-max"),
    ("cpuset.cpus", "cpus"),
    ("blkio.throttle.", "io-max"),
    ("blkio.", "io-weight"),
];

impl Cgroups {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "cgroup" => self.paths.push(value(entry, path)?),
            "cgroup-opt" => self.options.push(value(entry, setting)?),
            "cgroup-dir-mode" => self.mode = Some(value(entry, mode)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Mode of the directories.
    pub fn mode(&self) -> u32 {
        self.mode.unwrap_or(MODE)
    }

    /// What to use where cgroups are of version 2.
    pub fn instead(&self) -> String {
        let mut options: Vec<&str> = self.options.iter().filter_map(|(file, _)| instead(file)).collect();
        options.dedup();
        match options[..] {
            [] => {
                "each vassal has a cgroup there already: see memory-max, cpu-max and pids-max of the Emperor"
                    .into()
            }
            _ => format!("use {} there", options.join(", ")),
        }
    }
}

fn instead(file: &str) -> Option<&'static str> {
    INSTEAD.iter().find(|(old, _)| file.starts_with(old)).map(|(_, option)| *option)
}

fn path(text: &str) -> Result<String, Wrong> {
    let plain = text.starts_with('/') && !text.ends_with('/') && !text.split('/').any(|part| part == "..");
    match plain {
        true => Ok(text.to_owned()),
        false => wrong(
            format!("{} is no path of a cgroup", quoted(text)),
            "give it as an absolute path without `..`: /sys/fs/cgroup/memory/NAME",
        ),
    }
}

/// `FILE=VALUE` or `FILE:VALUE`.
fn setting(text: &str) -> Result<(String, String), Wrong> {
    let cure = "write a file of the cgroup and its content: memory.limit_in_bytes=64000000";
    let (file, content) = text.split_once(['=', ':']).unwrap_or((text, ""));
    let plain =
        file.contains('.') && file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !plain || content.is_empty() {
        return wrong(format!("{} sets nothing", quoted(text)), cure);
    }
    if file.starts_with("cgroup.") {
        return wrong(format!("{} is no limit", quoted(file)), cure);
    }
    Ok((file.to_owned(), content.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_of_a_cgroup_names_a_limit_and_nothing_else() {
        assert_eq!(setting("pids.max=3"), Ok(("pids.max".into(), "3".into())));
        assert_eq!(setting("blkio.weight:3:4"), Ok(("blkio.weight".into(), "3:4".into())));
        // The last two would run a program as root of the host, or move whoever they name.
        for text in ["pids.max", "=1", "../pids.max=1", "a/b.c=1", "", "release_agent=/x", "cgroup.procs=1"] {
            assert!(setting(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_version_2_has_instead_is_named() {
        let options = ["memory.limit_in_bytes", "cpu.cfs_quota_us", "cpu.cfs_period_us", "net_cls.classid"];
        let options = options.map(|file| (file.to_owned(), "1".to_owned())).to_vec();
        let cgroups = Cgroups { options, ..Cgroups::default() };
        assert_eq!(cgroups.instead(), "use memory-max, cpu-max there");
        assert!(Cgroups::default().instead().contains("pids-max"));
    }

    #[test]
    fn a_path_is_absolute_and_goes_down() {
        assert!(path("/sys/fs/cgroup/pids/a").is_ok());
        for text in ["", "a", "/", "/a/", "/a/../b"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
