//! How the Emperor stands among the processes of the host: what it is called, and whose orphans come to it.

use std::fs::{OpenOptions, read_to_string};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};
use rustix::process::{getpid, set_child_subreaper};

use crate::config::emperor::presence::Presence;

/// Carries out what the options say. What a fork server makes is an orphan, and comes to us.
///
/// Must: run when the command line has been read, which is written over.
///
/// # Errors
/// What the kernel refuses.
pub fn take(wanted: &Presence, fork_servers: bool) -> Result<()> {
    if wanted.subreaper || fork_servers {
        set_child_subreaper(Some(getpid())).context("emperor-subreaper")?;
    }
    wanted.title().as_deref().map_or(Ok(()), call).context("emperor-procname")
}

/// Writes a name over our arguments, as far as there is room, and sets what `top` shows.
fn call(title: &str) -> io::Result<()> {
    let stat = read_to_string("/proc/self/stat")?;
    let place = arguments(&stat).ok_or_else(|| io::Error::from(ErrorKind::InvalidData))?;
    let memory = OpenOptions::new().write(true).open("/proc/self/mem")?;
    memory.write_all_at(&padded(title, place.clone()), place.start)?;
    std::fs::write("/proc/self/comm", title)
}

/// Where our arguments lie in memory: the fields `arg_start` and `arg_end` (`proc_pid_stat(5)`).
fn arguments(stat: &str) -> Option<Range<u64>> {
    // Our name stands in parentheses, and may hold any.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let (start, end) = (fields.nth(45)?.parse().ok()?, fields.next()?.parse().ok()?);
    (start < end).then_some(start..end)
}

/// As long as the place. It ends in a zero: without, the kernel would take what follows for more of it.
fn padded(title: &str, place: Range<u64>) -> Vec<u8> {
    let room = usize::try_from(place.end - place.start).unwrap_or(0);
    let mut bytes: Vec<u8> = title.bytes().take(room.saturating_sub(1)).collect();
    bytes.resize(room, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_arguments_are_found_whatever_we_are_called() {
        let fields: Vec<String> = (3..=52).map(|number| number.to_string()).collect();
        let stat = format!("7 (a) b) {}\n", fields.join(" "));
        assert_eq!(arguments(&stat), Some(48..49));
        assert_eq!(arguments("7 (a) S 1 2"), None);
        assert_eq!(arguments(""), None);
    }

    #[test]
    fn a_name_is_cut_and_leaves_nothing_of_what_was_there() {
        assert_eq!(padded("emperor", 10..14), b"emp\0");
        assert_eq!(padded("emperor", 10..20), b"emperor\0\0\0");
    }
}
