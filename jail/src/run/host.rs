//! Looks at what the advice about a failure depends on.

use std::fs::read_to_string;
use std::path::Path;

use rustix::process::{geteuid, getpid};
use rustix::thread::capabilities;

use crate::plan::{Capabilities, Host};

impl Host {
    /// Looks at this host. What cannot be read counts as not restricted.
    pub fn look() -> Self {
        let label = read_to_string("/proc/self/attr/apparmor/current").unwrap_or_default();
        Self {
            root: geteuid().is_root(),
            apparmor_restricts_user: knob("kernel/apparmor_restrict_unprivileged_userns") == Some(1)
                && !is_profile(&label),
            apparmor_profile: rules_of(&label).map(str::to_owned),
            user_clone_off: knob("kernel/unprivileged_userns_clone") == Some(0),
            user_max: knob("user/max_user_namespaces"),
            container: container(),
            inside_user: inside_user(),
            first_process: getpid().is_init(),
            left_out: left_out(),
            vassal: false,
        }
    }
}

/// None where we hold none: an ordinary user has no list. None either where process 1 cannot be seen.
fn left_out() -> Capabilities {
    let held = capabilities(None).map_or(0, |sets| sets.permitted.bits());
    if held == 0 { Capabilities::NONE } else { first_bound().without(Capabilities(held)) }
}

/// The bounding set of process 1, from `proc_pid_status(5)`.
fn first_bound() -> Capabilities {
    let status = read_to_string("/proc/1/status").unwrap_or_default();
    let bound = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    let bits = bound.and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
    Capabilities(bits.unwrap_or_default())
}

fn knob(name: &str) -> Option<u64> {
    read_to_string(Path::new("/proc/sys").join(name)).ok()?.trim().parse().ok()
}

/// Whoever has a profile, if only an empty one, is not held to what is said of all others.
fn is_profile(label: &str) -> bool {
    !matches!(label.trim_end_matches(['\0', '\n']), "" | "unconfined")
}

/// The profile whose rules hold: `NAME (MODE)`, where one that is unconfined has none, and one that complains lets everything pass.
fn rules_of(label: &str) -> Option<&str> {
    let (name, mode) = label.trim_end_matches(['\0', '\n']).rsplit_once(" (")?;
    (!matches!(mode, "unconfined)" | "complain)")).then_some(name)
}

/// The first user namespace maps all ids onto themselves.
fn inside_user() -> bool {
    let map = read_to_string("/proc/self/uid_map").unwrap_or_default();
    !map.is_empty() && map.split_whitespace().ne(["0", "0", "4294967295"])
}

fn container() -> Option<String> {
    let told = read_to_string("/run/systemd/container").ok().or_else(|| std::env::var("container").ok());
    let marked = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
    let marked =
        || marked.into_iter().find(|(file, _)| Path::new(file).exists()).map(|(_, name)| name.to_owned());
    told.map(|kind| kind.trim().to_owned()).filter(|kind| !kind.is_empty()).or_else(marked)
}

#[cfg(test)]
mod tests {
    use super::{is_profile, rules_of};

    #[test]
    fn an_empty_profile_is_one_and_none_is_none() {
        assert!(is_profile("liege (unconfined)\n"));
        assert!(is_profile("docker-default (enforce)\n"));
        assert!(!is_profile("unconfined\n"));
        assert!(!is_profile(""));
    }

    #[test]
    fn only_a_profile_that_is_enforced_forbids() {
        assert_eq!(rules_of("a (b) (enforce)\n"), Some("a (b)"));
        for label in ["liege (unconfined)\n", "liege (complain)", "unconfined\n", ""] {
            assert_eq!(rules_of(label), None, "{label}");
        }
    }
}
