//! Pure. `ssh = 2201`: dropbear as the vassal's user, in its jail.

use std::net::SocketAddr;

use super::{Command, Daemon};
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, wrong};

/// What is said where there is none.
pub const NO_DROPBEAR: &str = "there is no dropbear, neither in the jail nor on the host";
/// What mends that.
pub const INSTALL_DROPBEAR: &str = "apt install dropbear-bin";
/// What it is called.
const NAME: &str = "ssh";

/// `PORT` or `ADDRESS:PORT`.
pub fn parse(text: &str) -> Result<Daemon, Wrong> {
    let address = match text.parse::<SocketAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => port(text)?.to_string(),
    };
    Ok(Daemon { name: NAME.to_owned(), ssh: true, ..Daemon::new(Command::Shell(line(&address))) })
}

fn port(text: &str) -> Result<u16, Wrong> {
    let number = text.strip_prefix(':').unwrap_or(text);
    match u16::try_from(count(number).unwrap_or(0)) {
        Ok(port) if port > 0 => Ok(port),
        _ => wrong(format!("{} is no port", quoted(text)), "write PORT or ADDRESS:PORT, such as 2201"),
    }
}

/// Its key is made once and kept where the keys of those who may log in are. Nobody logs in by a password, and nothing is
/// forwarded: that would reach what the jail has, not what the client has. What the host lends is told by variables.
fn line(address: &str) -> String {
    format!(
        "umask 077; d=\"$HOME/.ssh\"; k=\"$d/liege_host_key\"; mkdir -p \"$d\" && [ -w \"$d\" ] || \
         {{ echo \"ssh: $d is not there, or not writable: user $(id -u) needs a line with a home of his own in /etc/passwd\" >&2; exit 1; }}; \
         s=dropbear; g=dropbearkey; p=; \
         [ -z \"$LIEGE_DROPBEAR\" ] || x=$(command -v $s) || {{ s=$LIEGE_DROPBEAR; g=$LIEGE_DROPBEARKEY; p=$LIEGE_PRELOAD; }}; \
         command -v \"$s\" >/dev/null || {{ echo \"ssh: {NO_DROPBEAR}: {INSTALL_DROPBEAR}\" >&2; exit 127; }}; \
         [ -s \"$k\" ] || LD_PRELOAD=\"$p\" \"$g\" -t ed25519 -f \"$k\" || exit; \
         export LD_PRELOAD=\"$p\"; exec \"$s\" -F -E -s -j -k -P \"$d/dropbear.pid\" -r \"$k\" -p {address}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_alone_or_with_an_address() {
        for (text, listens) in
            [("2201", "2201"), (":2201", "2201"), ("127.0.0.1:22", "127.0.0.1:22"), ("[::1]:22", "[::1]:22")]
        {
            let Command::Shell(line) = parse(text).expect("a port").command else { panic!("{text}") };
            assert!(line.ends_with(&format!(" -p {listens}")), "{line}");
        }
        for text in ["", "0", "70000", "x", "22;reboot", "true", "1.2.3.4", "-1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
