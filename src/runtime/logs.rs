//! The log of the Emperor while it runs: who opened it, and how it is opened anew when somebody has moved it away.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};

use crate::config::emperor::process::{Log, Process};
use crate::config::place::Placed;
use crate::emperor::event::Owner;
use crate::logfile::{self, LogFile};
use crate::spawner::client::Lender;
use crate::spawner::wire::{Answer, Ask};

/// What is known of it.
#[derive(Debug, Default)]
pub struct Logs {
    opener: Opener,
    /// A reload of all vassals opens it anew.
    pub reopens_with_reload: bool,
}

/// Who can open it.
#[derive(Debug, Default)]
enum Opener {
    /// It is no file of ours.
    #[default]
    Elsewhere,
    /// The spawner, with the first rights.
    Spawners,
    /// We ourselves.
    Ours(LogFile),
}

impl Logs {
    /// Opens `logto2`, and leaves to the spawner what it was started with.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn settle(first: Option<&LogFile>, process: &Process, lender: &Lender) -> Result<Self> {
        let known = |opener| Self { opener, reopens_with_reload: process.reopens_log };
        let Some(late) = &process.late_log else {
            return Ok(known(first.map_or(Opener::Elsewhere, |_| Opener::Spawners)));
        };
        let (file, opened) = open(late, Path::new(""), (None, false))?;
        share(&opened, lender).with_context(|| format!("{}: logto2", late.place))?;
        Ok(known(file.map_or(Opener::Elsewhere, Opener::Ours)))
    }

    /// Opens it anew under its name; false where it has none.
    ///
    /// # Errors
    /// Why everything goes on in the old one.
    pub fn reopen(&self, lender: &Lender) -> Result<bool> {
        match &self.opener {
            Opener::Elsewhere => return Ok(false),
            Opener::Ours(file) => share(&file.open().map_err(|why| anyhow!(why))?, lender)?,
            Opener::Spawners => match lender.ask(&Ask::OpenLog, &[])? {
                (Answer::Log, logs) => logfile::take(logs.first().context("no log came along")?)?,
                (Answer::NoLog(why), _) => bail!(why),
                (other, _) => bail!("the spawner answered {other:?}"),
            },
        }
        Ok(true)
    }
}

/// Ours from now on, and that of whoever is started later.
fn share(log: &OwnedFd, lender: &Lender) -> Result<()> {
    match lender.ask(&Ask::TakeLog, &[log.as_fd()])? {
        (Answer::Log, _) => Ok(logfile::take(log)?),
        (other, _) => bail!("the spawner answered {other:?}"),
    }
}

/// Puts the log of the config in the place of standard output and error; the file, if it is one. `first` is where we were
/// started. The log of the background is there already.
///
/// # Errors
/// It cannot be opened.
pub fn begin(process: &Process, first: &Path, owner: Option<Owner>) -> Result<Option<LogFile>> {
    let Some(log) = process.background.as_ref().or(process.log.as_ref()) else { return Ok(None) };
    let (file, opened) = open(log, first, (owner, process.gives_log))?;
    logfile::take(opened).with_context(|| format!("{}: cannot log there", log.place))?;
    Ok(file)
}

/// Opens a log; its file, if it is one. `owner`: who we are about to become, and whether it is given to him.
///
/// # Errors
/// It cannot be opened.
pub fn open(
    log: &Placed<Log>,
    first: &Path,
    (owner, gives): (Option<Owner>, bool),
) -> Result<(Option<LogFile>, OwnedFd)> {
    let place = || format!("{}", log.place);
    let copy = |stream: std::os::fd::BorrowedFd<'_>| stream.try_clone_to_owned().with_context(place);
    match &log.value {
        Log::File(path) => {
            let path = std::path::absolute(first.join(path)).with_context(place)?;
            let path = path.into_os_string().into_string().ok().context("no UTF-8").with_context(place)?;
            let file = LogFile { path, owner, gives };
            let opened = file.open().map_err(|why| anyhow!(why)).with_context(place)?;
            Ok((Some(file), opened))
        }
        Log::Udp(address) => {
            let socket = logfile::datagrams(*address);
            let socket = socket.with_context(|| format!("cannot log to {address}")).with_context(place)?;
            Ok((None, socket))
        }
        Log::Output => Ok((None, copy(std::io::stdout().as_fd())?)),
        Log::Error => Ok((None, copy(std::io::stderr().as_fd())?)),
    }
}
