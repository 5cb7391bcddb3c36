//! Pure. What conditions and loops of a config ask of the file system.

use std::io;

/// What a path leads to, links followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A device, FIFO or socket.
    Other,
}

/// What a config may look at, with the rights of whoever reads it.
pub trait Probes {
    /// What is there, if anything is.
    fn kind(&self, path: &str) -> Option<FileKind>;

    /// True when it is there and may be read.
    fn is_readable(&self, path: &str) -> bool;

    /// The paths that fit a pattern as `glob(3)` reads it, sorted, directories with a slash at their end.
    ///
    /// # Errors
    /// The pattern is malformed, or finding out takes more than is bearable.
    fn glob(&self, pattern: &str) -> io::Result<Vec<String>>;

    /// The name of the user that reads the config; looked up when it is asked for.
    fn user(&self) -> Option<String>;

    /// The name of its group.
    fn group(&self) -> Option<String>;
}
