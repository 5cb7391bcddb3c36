//! The master FIFO: letters of whoever may write to a file of the Emperor's.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use anyhow::{Result, anyhow, bail};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Uid, fchmod, fchown, fstat, mknodat, openat, statat, unlinkat,
};
use rustix::io::{Errno, read};
use rustix::process::geteuid;

use super::super::Runtime;
use super::Door;
use crate::control::Letter;
use crate::emperor::event::{Event, Owner};
use crate::guarded::{Name, Others};
use crate::log;
use crate::reactor::{Token, clock};
use crate::spawner::charter::Leftover;

/// Letters that are heard in one go; then nobody is heard for a moment.
const LETTERS_MAX: usize = 64;
/// That moment, in ms.
const PAUSE_MS: u64 = 50;
/// For its owner alone.
const MODE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A FIFO that only the Emperor's user and root can write to. One that is left of an Emperor before is replaced, and nothing else.
pub(super) fn make(path: &Path, owner: Option<Owner>) -> Result<Door> {
    let name = Name::of(path, Others { owner, group: false }).map_err(|why| anyhow!(why))?;
    clear(&name, owner)?;
    mknodat(&name.directory, name.name(), FileType::Fifo, MODE, 0)?;
    let opened = open(&name)?;
    fchmod(&opened, MODE)?;
    if let Some(Owner { uid, gid }) = owner.filter(|_| geteuid().is_root()) {
        fchown(&opened, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
    }
    Ok(Door { socket: opened.into(), file: Leftover::of(&name.path), token: Token::Fifo, closed_until: None })
}

/// For reading and writing, so that it has no end when nobody else writes.
fn open(name: &Name) -> Result<OwnedFd> {
    let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat(&name.directory, name.name(), flags, Mode::empty())?;
    let found = fstat(&opened)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Fifo || found.st_uid != geteuid().as_raw() {
        bail!("something else stands in its place");
    }
    Ok(opened)
}

fn clear(name: &Name, owner: Option<Owner>) -> Result<()> {
    let found = match statat(&name.directory, name.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        found => found?,
    };
    let owners = [Some(0), Some(geteuid().as_raw()), owner.map(|owner| owner.uid)];
    if FileType::from_raw_mode(found.st_mode) != FileType::Fifo || !owners.contains(&Some(found.st_uid)) {
        bail!("what stands there is no FIFO of an Emperor: move it away");
    }
    Ok(unlinkat(&name.directory, name.name(), AtFlags::empty())?)
}

impl Runtime {
    /// Hears what was written, as much as one go allows.
    pub(in crate::runtime) fn hear_fifo(&mut self) {
        let Some(door) = &mut self.doors.fifo else { return };
        let mut letters = [0; LETTERS_MAX];
        let count = read(door.socket.as_fd(), &mut letters).unwrap_or(0);
        door.close_for(PAUSE_MS, clock::now(), &self.poller);
        for letter in letters[..count].iter().filter(|letter| !letter.is_ascii_whitespace()) {
            self.hear_letter(*letter);
        }
    }

    fn hear_letter(&mut self, letter: u8) {
        let shown = letter.escape_ascii();
        let Some(asked) = Letter::of(letter) else {
            return self.refuse_command(&format!("`{shown}` of the master FIFO means nothing to an Emperor"));
        };
        log::info("commands", &format!("`{shown}` of the master FIFO"));
        match asked {
            Letter::Stop => self.tell(Event::StopAll),
            Letter::Kill => [Event::StopAll, Event::StopAll].into_iter().for_each(|event| self.tell(event)),
            Letter::Reload => self.reload_all(),
            Letter::Status => self.log_status(),
            Letter::Rescan => self.monitors.rescan(clock::now()),
            Letter::Reopen => self.reopen_log("the master FIFO"),
            Letter::Pidfiles => self.residence.renew(),
        }
    }
}
