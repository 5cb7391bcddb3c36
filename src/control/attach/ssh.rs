//! Pure. What becomes of a login by ssh: what its client has sent (`SSH_ORIGINAL_COMMAND` of `sshd_config(5)`) is a line for a shell,
//! also the names of sftp's and scp's servers.

/// The shell of such lines.
const SHELL: &str = "/bin/sh";

/// What is run; an empty command is the shell of the vassal's user. `own` is what the administrator says in its place.
pub fn command(sent: Option<String>, own: Vec<String>, has_terminal: bool) -> Vec<String> {
    match sent {
        Some(line) => vec![SHELL.into(), "-c".into(), line],
        None if own.is_empty() && !has_terminal => vec![SHELL.into()],
        None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_sends_is_a_line_for_a_shell_and_nothing_is_a_login() {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let sent = Some("ls; id".to_owned());
        assert_eq!(command(sent, words(&["bash", "-l"]), true), words(&["/bin/sh", "-c", "ls; id"]));
        assert_eq!(command(None, words(&["bash", "-l"]), true), words(&["bash", "-l"]));
        assert_eq!(command(None, Vec::new(), true), words(&[]));
        assert_eq!(command(None, Vec::new(), false), words(&["/bin/sh"]));
    }
}
