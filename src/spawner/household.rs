//! The process that minds the Emperor's own daemons.

use std::fs::File;
use std::io::{Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use jail::{Capabilities, Identity, Program, Spec};
use rustix::fs::{MemfdFlags, memfd_create};

use super::birth::c_string;
use super::charter::{Charter, Household};
use super::court::Court;
use crate::log;
use crate::vassal::household::{CONTROL_FD, PAPERS_FD, Papers, ROLE};

impl Court {
    /// Makes it: its pid. Descriptors: its end of the channel to the Emperor, then where its output goes if not where ours does.
    ///
    /// Must: make one at a time, for the daemons of the charter and no others.
    ///
    /// # Errors
    /// One sentence.
    pub(super) fn bear_household(&mut self, lent: &[OwnedFd]) -> Result<i32, String> {
        let (household, channel, output) = granted(&self.charter, lent)?;
        if self.household.lives() {
            return Err("they are minded already".into());
        }
        let papers =
            written(&household.papers).map_err(|error| format!("cannot write what they are: {error}"))?;
        let spec = self.household(household, (channel, papers.as_raw_fd()), output);
        let born = self.bear_servant(&spec)?;
        self.household.0 = Some(born.pidfd);
        Ok(born.pid)
    }

    /// Whoever the Emperor is to be, with the administrator's environment and directory, and what we write to.
    fn household(
        &self,
        household: &Household,
        (channel, papers): (RawFd, RawFd),
        output: Option<RawFd>,
    ) -> Spec {
        let owner = household.owner.filter(|_| self.charter.privileged);
        let journal = std::env::var(log::JOURNAL).map(|stream| format!("{}={stream}", log::JOURNAL));
        let environment = self.charter.environment_as_emperor().cloned().chain(journal);
        Spec {
            identity: owner.map(|owner| Identity { uid: owner.uid, gid: owner.gid, groups: Vec::new() }),
            bounding: (owner.is_some() && self.charter.may_bound()).then_some(Capabilities::NONE),
            no_new_privs: owner.is_some(),
            dies_with_parent: true,
            session: true,
            settings: self.charter.settings.clone(),
            descriptors: vec![
                (output.unwrap_or(1), 1),
                (output.unwrap_or(2), 2),
                (channel, CONTROL_FD),
                (papers, PAPERS_FD),
            ],
            program: Program::Descriptor(self.executable.as_raw_fd(), vec![c_string(ROLE)]),
            environment: environment.map(|one| c_string(&one)).collect(),
            ..Spec::default()
        }
    }
}

/// What may be made by these: daemons of the charter, whoever asks.
fn granted<'a>(
    charter: &'a Charter,
    lent: &[OwnedFd],
) -> Result<(&'a Household, RawFd, Option<RawFd>), String> {
    let Some(household) = &charter.household else { return Err("the Emperor has no daemons".into()) };
    match lent {
        [channel] => Ok((household, channel.as_raw_fd(), None)),
        [channel, output] => Ok((household, channel.as_raw_fd(), Some(output.as_raw_fd()))),
        _ => Err("its descriptors did not reach the spawner: no number is free".into()),
    }
}

fn written(papers: &Papers) -> anyhow::Result<OwnedFd> {
    let mut file = File::from(memfd_create("daemons", MemfdFlags::CLOEXEC)?);
    file.write_all(&postcard::to_stdvec(papers)?)?;
    file.rewind()?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn descriptors(count: usize) -> Vec<OwnedFd> {
        let one = || rustix::event::eventfd(0, rustix::event::EventfdFlags::CLOEXEC).expect("a descriptor");
        (0..count).map(|_| one()).collect()
    }

    /// Row P11: an Emperor that was taken over names no program.
    #[test]
    fn nothing_is_run_that_does_not_stand_in_the_charter() {
        assert!(granted(&Charter::default(), &descriptors(1)).is_err());
        let household = Household { owner: None, papers: Papers::default() };
        let charter = Charter { household: Some(household.clone()), ..Charter::default() };
        assert!(granted(&charter, &[]).is_err() && granted(&charter, &descriptors(3)).is_err());
        for count in [1, 2] {
            let lent = descriptors(count);
            let (granted, _, output) = granted(&charter, &lent).expect("it has some");
            assert_eq!((granted, output.is_some()), (&household, count == 2));
        }
    }
}
