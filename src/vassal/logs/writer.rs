//! Writes a log: puts it aside when that is due, or opens it anew, as its config says.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal as Asked;
use nix::sys::signalfd::SignalFd;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::super::tell::Teller;
use super::super::touch::Touches;
use super::super::trouble::Trouble;
use super::super::watch::{now, until};
use super::Sink;
use super::touched::Touched;
use crate::keeper::aside::Aside;
use crate::keeper::files::LogFile;

/// A file that is made: for its owner, and his group to read.
const MODE: u32 = 0o640;
/// Read at once, in bytes: what a pipe holds.
const PIECE_MAX: usize = 64 << 10;
/// Read at the end, in pieces, whoever goes on writing.
const LAST_PIECES_MAX: usize = 20;

/// Writes what comes through a pipe, with the rights of whoever found its place.
#[derive(Debug)]
pub struct Writer<'a> {
    sink: &'a Sink,
    file: LogFile,
    touches: Option<Touches>,
    /// It was touched, and the log is not put aside yet.
    touched: Option<Touched>,
    teller: &'a Teller,
    buffer: Vec<u8>,
    /// That lines are lost has been told.
    told: bool,
}

impl<'a> Writer<'a> {
    /// One for this place. Files that are touched are found from the working directory.
    pub fn new(sink: &'a Sink, teller: &'a Teller) -> Self {
        let minding = &sink.wanted.minding;
        let aside = match &sink.backup {
            Some((directory, name)) => match rustix::io::fcntl_dupfd_cloexec(directory, 0) {
                Ok(directory) => Aside::Named(directory, name.clone()),
                Err(_) => Aside::Numbered,
            },
            None => Aside::Numbered,
        };
        let paths: Vec<PathBuf> = minding.rotates.iter().chain(&minding.reopens).cloned().collect();
        let touches = (!paths.is_empty()).then(|| Touches::new(paths));
        let touches = touches.and_then(|touches| touches.map_err(|trouble| teller.nuisance(&trouble)).ok());
        let file = LogFile::new(sink.name.clone(), MODE).put_aside_as(aside);
        Self { sink, file, touches, touched: None, teller, buffer: vec![0; PIECE_MAX], told: false }
    }

    /// What is to be waited for.
    pub fn watched(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        std::iter::once(self.sink.reader.as_fd()).chain(self.touches.as_ref().map(AsFd::as_fd))
    }

    /// How long, if nothing else happens, until `obey` has something to do.
    pub fn patience(&self) -> Option<Duration> {
        self.touched.map(|touched| until(touched.next(now())))
    }

    /// A process that does nothing else: until it is told to end, or nobody can write any more.
    ///
    /// # Errors
    /// Those of `poll(2)` and `read(2)`.
    pub fn live(&mut self, signals: &SignalFd) -> Result<(), Errno> {
        loop {
            let ways = std::iter::once(signals.as_fd()).chain(self.watched());
            let mut ways: Vec<PollFd<'_>> =
                ways.map(|way| PollFd::from_borrowed_fd(way, PollFlags::IN)).collect();
            let patience = self.patience().and_then(|time| Timespec::try_from(time).ok());
            match poll(&mut ways, patience.as_ref()) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno),
            }
            let ready: Vec<bool> = ways.iter().map(|one| !one.revents().is_empty()).collect();
            if ready[0] && self.is_told_to_end(signals) {
                self.finish();
                return Ok(());
            }
            if !self.obey(&ready[1..])? {
                return Ok(());
            }
        }
    }

    /// Does what is to be done, where these of `watched` are ready. Whether more may be written.
    ///
    /// # Errors
    /// Those of `read(2)`.
    pub fn obey(&mut self, ready: &[bool]) -> Result<bool, Errno> {
        if ready.get(1) == Some(&true) {
            self.heed();
        }
        let goes_on = ready.first() != Some(&true) || self.take()?;
        self.put_aside_if_due();
        Ok(goes_on)
    }

    /// Writes what is there still.
    pub fn finish(&mut self) {
        let _ = (0..LAST_PIECES_MAX).all(|_| self.take().unwrap_or(false));
        // Whoever comes after us is not told of it.
        if self.touched.is_some() {
            self.put_aside();
        }
    }

    /// SIGHUP has it open its file anew.
    fn is_told_to_end(&mut self, signals: &SignalFd) -> bool {
        std::iter::from_fn(|| signals.read_signal().ok().flatten()).any(|one| {
            let ends = one.ssi_signo != Asked::SIGHUP as u32;
            if !ends {
                self.file.reopen();
            }
            ends
        })
    }

    /// Whether there may be more, now or later.
    fn take(&mut self) -> Result<bool, Errno> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let count = match rustix::io::read(&self.sink.reader, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => Ok(None),
            count => count.map(Some),
        };
        if let Ok(Some(count)) = count {
            // A file is put aside behind a whole line.
            let end = buffer[..count].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.write(&buffer[..end]);
            self.put_aside_if_due();
            self.write(&buffer[end..count]);
        }
        self.buffer = buffer;
        count.map(|count| count != Some(0))
    }

    /// What cannot be written is lost, and whoever writes it goes on.
    fn write(&mut self, bytes: &[u8]) {
        let rotation = self.sink.wanted.minding.rotation;
        let written = self.file.write(self.sink.directory.as_fd(), bytes, (rotation, now_s()));
        self.complain(written, "lines are lost, or it cannot be put aside");
    }

    fn complain(&mut self, outcome: Result<(), Errno>, consequence: &str) {
        if let (Err(errno), false) = (outcome, self.told) {
            self.told = true;
            self.teller.nuisance(&Trouble::errno(format!("write {}, {consequence}", self.sink.name), errno));
        }
    }

    fn heed(&mut self) {
        let changed = self.touches.as_mut().map(Touches::changed).unwrap_or_default();
        let rotates = self.sink.wanted.minding.rotates.len();
        if changed.iter().any(|number| *number < rotates) {
            self.touched = Some(Touched::at(now(), self.touched));
        }
        if changed.iter().any(|number| *number >= rotates) {
            self.file.reopen();
        }
    }

    fn put_aside_if_due(&mut self) {
        if self.touched.is_some_and(|touched| touched.is_due(now(), self.file.is_whole())) {
            self.put_aside();
        }
    }

    fn put_aside(&mut self) {
        self.touched = None;
        let aside = self.file.put_aside(self.sink.directory.as_fd(), self.sink.wanted.minding.rotation);
        self.complain(aside, "cannot put the log aside");
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
