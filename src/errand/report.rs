//! How such a process tells what came of it.

use std::os::fd::OwnedFd;

use jail::Failure;
use jail::plan::Awaited;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::log::{self, Level};
use crate::vassal::trouble::Trouble;

/// Tells the log, under the name of the vassal.
pub fn tell(vassal: &str, trouble: &Trouble) {
    let about = [("vassal", vassal)];
    log::line(Level::Warn, if vassal.is_empty() { &[] } else { &about }, &trouble.to_string());
}

/// Tells whoever made us wait for it. Nobody there: then nobody wants to know.
pub fn fail(report: Option<&OwnedFd>, detail: &str) {
    let wire = Failure { detail: detail.to_owned(), ..Failure::default() }.encode();
    let _ = report.map(|report| rustix::io::write(report, &wire));
}

/// Waits until a vassal is there. False when it will not come.
pub fn await_vassal(socket: &OwnedFd) -> bool {
    let mut word = [0; Awaited::READY.len()];
    loop {
        match recv(socket, &mut word, RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            heard => return heard.is_ok_and(|(length, _)| &word[..length] == Awaited::READY),
        }
    }
}

/// Lets it go on, or tells it why not.
pub fn answer(socket: &OwnedFd, failure: Option<&str>) {
    let wire = failure.map_or_else(
        || Awaited::DONE.to_vec(),
        |detail| Failure { detail: detail.to_owned(), ..Failure::default() }.encode(),
    );
    let _ = send(socket, &wire, SendFlags::NOSIGNAL);
}

/// The cause without what whoever tells it says anyway: `cannot do hook-as-vassal `x`: EEXIST` is `EEXIST` there.
pub fn short(trouble: &Trouble, said: &str) -> String {
    let cause = trouble.cause.as_str();
    let rest = cause.strip_prefix("cannot do ").unwrap_or(cause);
    let rest = rest.strip_prefix(said).map(|rest| rest.trim_start_matches([':', ' ']));
    rest.unwrap_or(cause).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_said_twice() {
        let named = "hook-as-vassal `mkdir:/a`";
        let short = |cause: &str, said| short(&Trouble::new(cause), said);
        assert_eq!(short("cannot do hook-as-vassal `mkdir:/a`: EEXIST", named), "EEXIST");
        assert_eq!(short("hook-as-vassal `mkdir:/a` ended with status 1", named), "ended with status 1");
        assert_eq!(
            short("cannot do hook-as-vassal `mkdir:/a`: EEXIST", "hook-as-vassal"),
            "`mkdir:/a`: EEXIST"
        );
        assert_eq!(short("cannot wait: EINTR", named), "cannot wait: EINTR");
    }
}
