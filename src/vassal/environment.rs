//! Pure. The environment of the programs of a vassal.

use std::ffi::{OsStr, OsString};

use crate::names::User;

/// Variables in order; no name twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment(Vec<(OsString, OsString)>);

/// Directories searched for a program when the environment names none.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Environment {
    /// What we were started with, less what is between the Emperor and us alone.
    pub fn new(ours: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self(ours.filter(|(name, _)| !is_private(name)).collect());
        if environment.get("PATH").is_none() {
            environment.set("PATH", PATH);
        }
        environment
    }

    /// What the real uWSGI gets in our place: everything that its Emperor would have given it.
    pub fn for_uwsgi(ours: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(ours.filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"LIEGE_")).collect())
    }

    /// Lets `added` replace what has the same names.
    pub fn replace(&mut self, added: &[(String, String)]) {
        for (name, value) in added {
            self.set(name, value);
        }
    }

    /// Home, name and shell of the user that a program runs as.
    pub fn set_user(&mut self, user: &User) {
        self.set("HOME", &user.home);
        self.set("USER", &user.name);
        self.set("LOGNAME", &user.name);
        self.set("SHELL", &user.shell);
    }

    /// Sockets from descriptor 3 on, for the process `pid` (`sd_listen_fds(3)`).
    pub fn set_sockets(&mut self, pid: u32, names: &[String]) {
        if names.is_empty() {
            return;
        }
        self.set("LISTEN_PID", pid.to_string());
        self.set("LISTEN_FDS", names.len().to_string());
        self.set("LISTEN_FDNAMES", names.join(":"));
    }

    /// Sets one variable.
    pub fn set(&mut self, name: impl AsRef<OsStr>, value: impl Into<OsString>) {
        let (name, value) = (name.as_ref(), value.into());
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Takes one variable away.
    pub fn remove(&mut self, name: impl AsRef<OsStr>) {
        self.0.retain(|(known, _)| known != name.as_ref());
    }

    /// The value of one variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
    }

    /// All of them.
    pub fn each(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

/// Names that speak of descriptors which the programs do not get.
fn is_private(name: &OsStr) -> bool {
    let name = name.as_encoded_bytes();
    let prefixes: [&[u8]; 3] = [b"LIEGE_", b"LISTEN_", b"UWSGI_EMPEROR_FD"];
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)], added: &[(&str, &str)]) -> Vec<String> {
        let ours = pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let added: Vec<_> =
            added.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut environment = Environment::new(ours);
        environment.replace(&added);
        environment.each().map(|(name, value)| format!("{}={}", name.display(), value.display())).collect()
    }

    #[test]
    fn what_is_between_the_emperor_and_us_is_not_passed_on() {
        let ours = [
            ("PATH", "/bin"),
            ("UWSGI_EMPEROR_FD", "7"),
            ("UWSGI_EMPEROR_FD_CONFIG", "8"),
            ("LIEGE_CONFIG_FD", "9"),
            ("LISTEN_PID", "1"),
        ];
        assert_eq!(from(&ours, &[]), ["PATH=/bin"]);
    }

    #[test]
    fn a_later_variable_replaces_an_earlier_one() {
        assert_eq!(
            from(&[("A", "1"), ("PATH", "/bin")], &[("A", "2"), ("B", "3"), ("B", "4")]),
            ["A=2", "PATH=/bin", "B=4"]
        );
    }

    #[test]
    fn there_is_always_a_search_path() {
        assert_eq!(from(&[], &[]), [format!("PATH={PATH}")]);
    }
}
