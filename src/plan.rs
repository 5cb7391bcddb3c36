//! `liege plan FILE`: the ordered steps of a vassal's jail; nothing is started.

use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, bail};
use rustix::fs::{Mode, OFlags};

use crate::config::emperor::EmperorConfig;
use crate::config::vassal::VassalKind;
use crate::emperor::event::Owner;
use crate::spawner::birth::{self, Lent, Subject};
use crate::spawner::charter::{Charter, VassalProgram};
use crate::spawner::lend;
use crate::trust::{self, Examined};

/// Descriptors that a plan shows, where a spawner would have real ones.
const SHOWN: Lent = Lent { null: 0, control: birth::CONTROL_FD, config: birth::CONFIG_FD, directory: 5, executable: 6 };

/// The steps that make the process of this vassal, and those that it takes itself.
///
/// # Errors
/// Why it would not run.
pub fn plan(config: &EmperorConfig, file: &Path) -> Result<String> {
    let charter = crate::runtime::plan_for(config)?;
    let name = file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory = rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .with_context(|| format!("cannot open {}", parent.display()))?;
    let examined = match trust::examine(directory.as_fd(), name, &lend::policy(&charter)) {
        Ok(examined) => examined,
        Err(refusal) => bail!("{}: refused: {}", file.display(), refusal.reason()),
    };
    let first = jail::plan::plan(&birth::spec(&charter, &subject(&charter, name, &examined)));
    Ok(format!("{}: the spawner\n{first}{}", file.display(), second(&charter, name, &examined, file)?))
}

fn subject<'a>(charter: &Charter, name: &'a str, examined: &Examined) -> Subject<'a> {
    let groups = birth::groups(charter, examined.owner.uid);
    let own = Owner { uid: rustix::process::geteuid().as_raw(), gid: rustix::process::getegid().as_raw() };
    Subject { file: name, trust: examined.trust, owner: examined.owner, groups, own, lent: SHOWN, network: None }
}
