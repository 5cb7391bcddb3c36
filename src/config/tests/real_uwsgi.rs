//! The real uwsgi, asked what it understood.

use std::process::{Command, Stdio};

/// False, and told, where it is not installed.
pub fn is_here() -> bool {
    let here = crate::vassal::program("uwsgi").is_some();
    if !here {
        println!("skipped: there is no uwsgi");
    }
    here
}

/// The lines by which it shows the options that it got with these arguments, in an environment of these variables;
/// `None` when it refuses them.
pub fn shown(arguments: &[&str], variables: &[(&str, &str)]) -> Option<Vec<String>> {
    let mut command = Command::new("uwsgi");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(variables.iter().copied()).stdin(Stdio::null());
    // It cannot write its pid, and ends.
    command.arg("--show-config").args(arguments).args(["--pidfile", "/nonexistent/pid"]);
    let output = command.output().expect("uwsgi runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, shown) = text.split_once("\n[uwsgi]\n")?;
    let (shown, _) = shown.split_once(";end of configuration")?;
    let given = ["show-config", "pidfile", arguments[0].trim_start_matches('-')];
    let is_given = |line: &&str| given.contains(&line.split(" = ").next().unwrap_or_default());
    Some(shown.lines().filter(|line| !is_given(line)).map(str::to_owned).collect())
}
