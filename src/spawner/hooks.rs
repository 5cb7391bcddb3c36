//! The programs of `exec-as-emperor`: with the administrator's rights, as children of the emperor.

use std::ffi::CString;
use std::os::fd::AsRawFd;

use jail::Spec;
use jail::run::{Birth, Spawned};

use super::birth;
use super::charter::Charter;
use super::court::Court;
use super::ward::Ward;
use super::wire::{Reply, Ticket};

impl Court {
    /// The programs of `exec-as-emperor`, with our rights, as children of the emperor: one reply for each of them.
    pub(super) fn hooks(&mut self, ticket: Ticket) -> Vec<Reply> {
        let lines = self.charter.exec_as_emperor.clone();
        let Some(ward) = self.wards.get(ticket) else {
            return lines
                .iter()
                .map(|_| Reply::Hook(ticket, Err("its vassal has ended before".into())))
                .collect();
        };
        let environment = hook_environment(&self.charter, ward);
        lines.iter().map(|line| Reply::Hook(ticket, self.run_hook(line, &environment))).collect()
    }

    fn run_hook(&self, line: &str, environment: &[CString]) -> Result<i32, String> {
        let spec = Spec {
            dies_with_parent: true,
            session: true,
            descriptors: vec![(self.null.as_raw_fd(), 0), (1, 1), (2, 2)],
            program: birth::shell(line),
            environment: environment.to_vec(),
            ..Spec::default()
        };
        let plan = jail::plan::plan(&spec);
        let sentence = |failure: jail::Failure| failure.sentence(&plan, &self.host);
        match jail::run::spawn(&plan, &Birth { sibling: true, ..Birth::default() })
            .map_err(|error| sentence(error.0))?
        {
            Spawned::Running(born) | Spawned::Walking(born, _) => Ok(born.pid),
            Spawned::Failed(_, failure) => Err(sentence(failure)),
        }
    }
}

fn hook_environment(charter: &Charter, ward: &Ward) -> Vec<CString> {
    let mut list: Vec<CString> = charter.environment.iter().map(|one| birth::c_string(one)).collect();
    list.extend(
        [
            format!("UWSGI_VASSAL_CONFIG={}", ward.name),
            format!("UWSGI_VASSAL_PID={}", ward.pid),
            format!("UWSGI_VASSAL_UID={}", ward.owner.uid),
            format!("UWSGI_VASSAL_GID={}", ward.owner.gid),
        ]
        .iter()
        .map(|one| birth::c_string(one)),
    );
    list
}
