//! The ids that the Emperor itself takes, by their names or numbers.

use anyhow::{Context, Result, bail};

use crate::config::emperor::EmperorConfig;
use crate::emperor::event::Owner;
use crate::names;

/// The ids that the Emperor itself takes.
pub(super) fn identity(config: &EmperorConfig) -> Result<Option<Owner>> {
    let Some(uid) = &config.uid else {
        return match &config.gid {
            Some(gid) => bail!("{}: gid without uid: give both, or neither", gid.place),
            None => Ok(None),
        };
    };
    let user = user(&uid.value).with_context(|| format!("{}: uid = {}", uid.place, uid.value))?;
    let gid = match &config.gid {
        Some(gid) => group(&gid.value).with_context(|| format!("{}: gid = {}", gid.place, gid.value))?,
        None => user.gid,
    };
    if user.uid == 0 || gid == 0 {
        bail!("{}: uid and gid of an Emperor that gives up root cannot be 0", uid.place);
    }
    Ok(Some(Owner { uid: user.uid, gid }))
}

fn user(value: &str) -> Result<Owner> {
    let known = match value.parse() {
        Ok(uid) => {
            names::User::by_uid(uid).map_or(Owner { uid, gid: uid }, |user| Owner { uid, gid: user.gid })
        }
        Err(_) => names::User::by_name(value)
            .map(|user| Owner { uid: user.uid, gid: user.gid })
            .context("no such user")?,
    };
    Ok(known)
}

fn group(value: &str) -> Result<u32> {
    value.parse().or_else(|_| names::Group::by_name(value).map(|group| group.gid).context("no such group"))
}
