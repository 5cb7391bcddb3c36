//! The host's dropbear for a jail that has none: opened while the host can still be seen, and run by descriptor. Nothing of
//! it lies in the jail, where somebody could change it; nothing there is believed either.
//!
//! The kernel takes the loader from the path that stands in a program, and the loader takes libraries by name from directories: neither
//! is in the jail. So the program is a copy in memory that names the loader's descriptor, and the libraries are loaded beforehand, by theirs.
//!
//! Loader and libraries are sealed copies, too: whoever has the descriptor of a file can open it anew by `/proc/self/fd`, and a jail whose
//! root is the host's would write to the host's.

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;
use std::process::{Command, Stdio};

use jail::run::Executable;
use rustix::fs::{CWD, Mode, OFlags, openat};

use super::environment::Environment;
use super::trouble::{Trouble, number};

/// The server, and what makes its key, where distributions have them.
const PROGRAMS: [(&str, &str); 2] = [
    ("/usr/sbin/dropbear", "/usr/bin/dropbearkey"),
    ("/usr/local/sbin/dropbear", "/usr/local/bin/dropbearkey"),
];
/// Longest program or library, in bytes.
const PROGRAM_MAX: u64 = 16 << 20;
/// Most libraries.
const LIBRARIES_MAX: usize = 32;
/// Program header (`elf(5)`) that names the loader.
const PT_INTERP: u32 = 3;

/// Both programs, and what they need.
#[derive(Debug)]
pub struct Lent {
    server: Executable,
    key_maker: Executable,
    /// Loaders and libraries.
    files: Vec<Executable>,
    preload: String,
}

/// Whether the host has one that it can lend.
pub fn is_on_host() -> bool {
    programs().is_some()
}

fn programs() -> Option<(&'static str, &'static str)> {
    PROGRAMS.into_iter().find(|(server, _)| Path::new(server).exists())
}

/// What the host has, if it has any.
///
/// Must: come before the root changes.
///
/// # Errors
/// It cannot be read or copied.
pub fn open() -> Result<Option<Lent>, Trouble> {
    let Some((server, key_maker)) = programs() else { return Ok(None) };
    let mut files = Vec::new();
    let programs = (copy(server, &mut files)?, copy(key_maker, &mut files)?);
    let mut names = libraries_of(server)?;
    names.extend(libraries_of(key_maker)?);
    names.sort();
    names.dedup();
    let library = |name: &String| sealed(name, &read(name)?);
    let libraries = names.iter().take(LIBRARIES_MAX).map(library).collect::<Result<Vec<_>, _>>()?;
    let preload = libraries.iter().map(|one| path_of(one.as_fd().as_raw_fd())).collect::<Vec<_>>().join(":");
    files.extend(libraries);
    Ok(Some(Lent { server: programs.0, key_maker: programs.1, files, preload }))
}

impl Lent {
    /// What stays open for the daemon.
    pub fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let programs = [self.server.as_fd(), self.key_maker.as_fd()];
        programs.into_iter().chain(self.files.iter().map(AsFd::as_fd)).collect()
    }

    /// Tells its line of them; dropbear gives sessions nothing of that.
    pub fn tell(&self, environment: &mut Environment) {
        environment.set("LIEGE_DROPBEAR", path_of(self.server.as_fd().as_raw_fd()));
        environment.set("LIEGE_DROPBEARKEY", path_of(self.key_maker.as_fd().as_raw_fd()));
        environment.set("LIEGE_PRELOAD", &self.preload);
    }
}

fn path_of(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

fn read(path: &str) -> Result<Vec<u8>, Trouble> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    let cannot = |error: std::io::Error| Trouble::errno(format!("read {path}"), number(&error));
    let file = openat(CWD, path, flags, Mode::empty()).map_err(|errno| cannot(errno.into()))?;
    let mut content = Vec::new();
    File::from(file).take(PROGRAM_MAX).read_to_end(&mut content).map_err(cannot)?;
    Ok(content)
}

fn sealed(path: &str, content: &[u8]) -> Result<Executable, Trouble> {
    let cannot = |error: std::io::Error| Trouble::errno(format!("copy {path}"), number(&error));
    Executable::of(c"dropbear", content).map_err(cannot)
}

/// A copy that names the descriptor of its loader.
fn copy(path: &str, files: &mut Vec<Executable>) -> Result<Executable, Trouble> {
    let mut program = read(path)?;
    if let Some(place) = loader(&program) {
        let name = String::from_utf8_lossy(&program[place.clone()]).trim_end_matches('\0').to_owned();
        let loader = sealed(&name, &read(&name)?)?;
        let by_number = path_of(loader.as_fd().as_raw_fd());
        if by_number.len() >= place.len() {
            return Err(Trouble::new(format!("{path}: the name of its loader is too short to be replaced")));
        }
        program[place.clone()].fill(0);
        program[place.start..place.start + by_number.len()].copy_from_slice(by_number.as_bytes());
        files.push(loader);
    }
    sealed(path, &program)
}

/// Where the name of its loader stands; none in a program that needs none, or is none of 64 bits of this byte order.
fn loader(program: &[u8]) -> Option<Range<usize>> {
    if program.get(..6)? != [0x7f, b'E', b'L', b'F', 2, if cfg!(target_endian = "little") { 1 } else { 2 }] {
        return None;
    }
    let long =
        |at: usize| usize::try_from(u64::from_ne_bytes(program.get(at..at + 8)?.try_into().ok()?)).ok();
    let short = |at: usize| Some(usize::from(u16::from_ne_bytes(program.get(at..at + 2)?.try_into().ok()?)));
    let kind = |at: usize| Some(u32::from_ne_bytes(program.get(at..at.checked_add(4)?)?.try_into().ok()?));
    let (table, size, count) = (long(0x20)?, short(0x36)?, short(0x38)?);
    let header = (0..count)
        .map_while(|index| table.checked_add(index * size))
        .find(|at| kind(*at) == Some(PT_INTERP))?;
    let (from, length) = (long(header.checked_add(8)?)?, long(header.checked_add(32)?)?);
    let place = from..from.checked_add(length)?;
    program.get(place.clone()).map(|_| place)
}

/// Libraries of the host's program, as its own loader finds them.
fn libraries_of(path: &str) -> Result<Vec<String>, Trouble> {
    let cannot =
        |error: std::io::Error| Trouble::errno(format!("list the libraries of {path}"), number(&error));
    let mut command = Command::new(path);
    // The loader stops there (`ld.so(8)`); a program without one does not look.
    command.arg("-V").env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").current_dir("/").stdin(Stdio::null());
    let output = command.stderr(Stdio::null()).output().map_err(cannot)?;
    Ok(libraries(&String::from_utf8_lossy(&output.stdout)).map(str::to_owned).collect())
}

/// `NAME => PATH (ADDRESS)`.
fn libraries(list: &str) -> impl Iterator<Item = &str> {
    let paths = list.lines().filter_map(|line| Some(line.split_once(" => ")?.1.split_once(" (")?.0));
    paths.filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_those_with_a_path() {
        let list = "\tlinux-vdso.so.1 (0x1)\n\tlibz.so.1 => /lib/libz.so.1 (0x2)\n\t/lib64/ld.so (0x3)\n\tlibx.so => not found\n";
        assert_eq!(libraries(list).collect::<Vec<_>>(), ["/lib/libz.so.1"]);
    }

    #[test]
    fn a_program_names_its_loader_and_what_is_none_names_nobody() {
        let program = std::fs::read("/usr/sbin/dropbear").expect("it is installed");
        let place = loader(&program).expect("it has one");
        assert!(program[place.clone()].starts_with(b"/lib") && program[place.end - 1] == 0);
        for odd in [&b""[..], b"#!/bin/sh\n", &program[..0x3a], &[0x7f; 100]] {
            assert_eq!(loader(odd), None);
        }
        let mut broken = program.clone();
        broken[0x20..0x28].fill(0xff);
        assert_eq!(loader(&broken), None);
    }
}
