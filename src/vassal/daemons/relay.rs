//! Lines of a daemon on their way to whoever keeps those of all vassals: each behind the daemon's name, in the pipe of its vassal.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{CWD, FileType, Mode, OFlags, PROC_SUPER_MAGIC, fstat, fstatfs, openat};
use rustix::io::{Errno, write};

use crate::keeper::lines::Cutter;
use crate::keeper::marks::{KNOWS_MARKS, WHOLE_MAX, mark};

/// Held of what the pipe does not take, in bytes: beyond it the daemon waits.
const HELD_MAX: usize = 64 << 10;
/// How long the last lines are waited for.
const LAST: Duration = Duration::from_millis(500);

/// The lines of one daemon.
#[derive(Debug)]
pub struct Relay {
    /// Until nobody reads there any more.
    out: Option<OwnedFd>,
    mark: Vec<u8>,
    cutter: Cutter,
    /// Lines, several of them where they are short: each piece is written as a whole or not at all (`pipe(7)`).
    held: VecDeque<Vec<u8>>,
    bytes: usize,
}

impl Relay {
    /// To our standard output, if whoever reads it knows marks.
    pub fn open(daemon: &str) -> Option<Self> {
        let found = fstat(rustix::stdio::stdout()).ok()?;
        let is_pipe = FileType::from_raw_mode(found.st_mode) == FileType::Fifo;
        if !is_pipe || found.st_mode & 0o7777 != KNOWS_MARKS {
            return None;
        }
        // Where no `/proc` is mounted the name may be anything.
        let place = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let proc = openat(CWD, "/proc", place, Mode::empty()).ok()?;
        if fstatfs(&proc).ok()?.f_type as u64 != PROC_SUPER_MAGIC as u64 {
            return None;
        }
        // One of its own: not to wait is a matter of ours, and not of all who write there.
        let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let out = openat(&proc, "self/fd/1", flags, Mode::empty()).ok()?;
        let opened = fstat(&out).ok()?;
        let is_it = (opened.st_dev, opened.st_ino) == (found.st_dev, found.st_ino);
        is_it.then(|| Self::to(out, daemon))
    }

    fn to(out: OwnedFd, daemon: &str) -> Self {
        let mark = mark(daemon);
        let cutter = Cutter::of(WHOLE_MAX - 1 - mark.len());
        Self { out: Some(out), mark, cutter, held: VecDeque::new(), bytes: 0 }
    }

    /// What is written to.
    pub fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.out.as_ref().map(AsFd::as_fd)
    }

    /// What is to be waited for before more can be written.
    pub fn waits(&self) -> Option<BorrowedFd<'_>> {
        self.descriptor().filter(|_| !self.held.is_empty())
    }

    /// Whether the daemon is to wait.
    pub fn is_full(&self) -> bool {
        self.bytes >= HELD_MAX
    }

    /// Takes what it wrote.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut cutter = std::mem::take(&mut self.cutter);
        cutter.feed(piece, |line| self.hold(line));
        self.cutter = cutter;
        self.go_on();
    }

    /// Writes what is taken now.
    pub fn go_on(&mut self) {
        while let (Some(out), Some(piece)) = (&self.out, self.held.front()) {
            match write(out, piece) {
                Ok(_) => {
                    self.bytes -= piece.len();
                    self.held.pop_front();
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(_) => {
                    (self.out, self.bytes) = (None, 0);
                    self.held.clear();
                }
            }
        }
    }

    /// Nothing follows.
    pub fn finish(&mut self) {
        let mut cutter = std::mem::take(&mut self.cutter);
        cutter.finish(|line| self.hold(line));
        let until = Instant::now() + LAST;
        self.go_on();
        while let Some(out) = self.waits() {
            let left = until.saturating_duration_since(Instant::now());
            let patience = Timespec::try_from(left).ok().filter(|_| !left.is_zero());
            let Some(patience) = patience else { return };
            let _ = poll(&mut [PollFd::from_borrowed_fd(out, PollFlags::OUT)], Some(&patience));
            self.go_on();
        }
    }

    fn hold(&mut self, line: &[u8]) {
        if self.out.is_none() {
            return;
        }
        let whole = [&self.mark[..], line, b"\n"].concat();
        self.bytes += whole.len();
        match self.held.back_mut().filter(|last| last.len() + whole.len() <= WHOLE_MAX) {
            Some(last) => last.extend_from_slice(&whole),
            None => self.held.push_back(whole),
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::io::{ioctl_fionbio, read};
    use rustix::pipe::pipe;

    use super::*;
    use crate::keeper::marks::{Sorter, read as line_of};

    fn relay() -> (OwnedFd, Relay) {
        let (reader, writer) = pipe().expect("a pipe");
        ioctl_fionbio(&reader, true).and_then(|()| ioctl_fionbio(&writer, true)).expect("no wait");
        (reader, Relay::to(writer, "redis"))
    }

    fn read_all(reader: &OwnedFd, relay: &mut Relay) -> Vec<u8> {
        let (mut all, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        while let Ok(count) = read(reader, &mut *piece) {
            all.extend_from_slice(&piece[..count]);
            relay.go_on();
        }
        all
    }

    #[test]
    fn every_line_of_any_length_comes_behind_the_name_and_none_is_lost() {
        let (reader, mut relay) = relay();
        let text: Vec<u8> = (0..400).flat_map(|n| [&vec![b'x'; n * 50][..], b"\n"].concat()).collect();
        let mut rest = &text[..];
        let mut all = Vec::new();
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(rest.len().min(16 << 10));
            if relay.is_full() {
                all.extend(read_all(&reader, &mut relay));
            }
            relay.feed(piece);
            rest = more;
        }
        all.extend(read_all(&reader, &mut relay));
        let lines: Vec<&[u8]> = all.split(|byte| *byte == b'\n').collect();
        assert!(lines[..lines.len() - 1].iter().all(|line| line_of(line).daemon == Some("redis")));
        let length: usize = lines.iter().map(|line| line_of(line).text.len()).sum();
        assert_eq!(length, text.len() - 400);
        assert!(relay.waits().is_none() && relay.bytes == 0);
    }

    /// Row L2.
    #[test]
    fn whoever_is_not_read_waits_and_goes_on_when_nobody_can_read_any_more() {
        let (reader, mut relay) = relay();
        let mut fed = 0;
        while !relay.is_full() {
            relay.feed(&[b'x'; 1_000]);
            fed += 1_000;
        }
        assert!(fed < 256 << 10);
        drop(reader);
        relay.go_on();
        assert!(relay.waits().is_none() && !relay.is_full());
        (0..1_000).for_each(|_| relay.feed(&[b'\n'; 1_000]));
        assert!(relay.waits().is_none() && !relay.is_full() && relay.bytes < 2 * HELD_MAX);
    }

    /// Others write into the same pipe, in pieces of any length.
    #[test]
    fn lines_are_whole_among_those_of_others() {
        let (reader, mut relay) = relay();
        let stop = std::sync::atomic::AtomicBool::new(false);
        let other = relay.out.as_ref().and_then(|out| out.try_clone().ok()).expect("a copy");
        let mut sorter = Sorter::default();
        let mut lines: Vec<Vec<u8>> = Vec::new();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = write(&other, &[b'o'; 700]);
                    std::thread::yield_now();
                }
            });
            let text = [vec![b'x'; 3 * WHOLE_MAX], b"\nshort\n".to_vec()].concat();
            let mut piece = vec![0; 64 << 10];
            for _ in 0..200 {
                relay.feed(&text);
                while relay.waits().is_some() {
                    let count = read(&reader, &mut *piece).unwrap_or(0);
                    sorter.feed(&piece[..count], |line| lines.push(line.to_vec()));
                    relay.go_on();
                }
            }
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            while let Ok(count) = read(&reader, &mut *piece) {
                sorter.feed(&piece[..count], |line| lines.push(line.to_vec()));
            }
        });
        let of = |daemon: Option<&str>| {
            let his = lines.iter().map(|line| line_of(line)).filter(move |line| line.daemon == daemon);
            his.map(|line| line.text.to_vec()).collect::<Vec<_>>()
        };
        let his = of(Some("redis"));
        assert_eq!(his.iter().filter(|line| *line == b"short").count(), 200);
        assert_eq!(his.iter().map(Vec::len).sum::<usize>(), 200 * (3 * WHOLE_MAX + 5));
        assert!(of(None).concat().iter().all(|byte| *byte == b'o'));
    }
}
