//! What is told of vassals to whoever asks how they are: of all at the stats socket, of some at the control socket.

use std::collections::BTreeSet;
use std::os::fd::AsFd;

use super::Runtime;
use crate::config::emperor::stats::Form;
use crate::control::caller::Caller;
use crate::control::door::tell;
use crate::control::messages::{Answer, LINES_MAX, NAMES_MAX};
use crate::control::names_of;

use crate::emperor::event::VassalId;
use crate::emperor::sender::Sender;
use crate::emperor::snapshot::Snapshot;
use crate::reactor::{Calendar, clock};
use crate::stats;

/// The shortest form of a document.
const SHORT: Form = Form { http: false, minified: true };

impl Runtime {
    /// How all vassals are that somebody may see.
    pub(super) fn document_for(&mut self, reader: Sender) -> Vec<u8> {
        let snapshot = self.emperor.snapshot_for(|owner| reader.may_see(owner));
        let form = self.stats.form();
        self.document(snapshot, reader, form)
    }

    /// How those are that he names; who may not read the stats has nothing here either.
    pub(super) fn show(
        &mut self,
        sender: Sender,
        names: &[String],
        client: Caller,
    ) -> Result<(), (String, Caller)> {
        if !self.stats.admits(sender) {
            let sentence = "only root and the Emperor's user may ask (`emperor-stats-for-tenants`)";
            return Err((sentence.into(), client));
        }
        if names.len() > NAMES_MAX {
            return Err(("that is too much at once: say it in parts".into(), client));
        }
        if !self.rations.may_look(sender, clock::now()) {
            return Err(("too much was asked lately: wait a moment".into(), client));
        }
        let snapshot = self.emperor.snapshot_of(&self.named_by(sender, names));
        let document = self.document(snapshot, sender, SHORT);
        for piece in document.chunks(LINES_MAX) {
            tell(client.as_fd(), &Answer::Document(piece.to_vec()));
        }
        tell(client.as_fd(), &Answer::Ended(0));
        Ok(())
    }

    /// His that are called so, or that what comes before the last slash is called: then a daemon of theirs is meant.
    fn named_by(&self, sender: Sender, names: &[String]) -> Vec<VassalId> {
        let vassals = names.iter().filter_map(|name| name.rsplit_once('/').map(|(vassal, _)| vassal));
        let words: BTreeSet<&str> = names.iter().map(String::as_str).chain(vassals).collect();
        let known = self.emperor.known_to(sender);
        known
            .filter(|(_, key)| names_of(&key.name).any(|one| words.contains(one)))
            .map(|(id, _)| id)
            .collect()
    }

    fn document(&mut self, mut snapshot: Snapshot, reader: Sender, form: Form) -> Vec<u8> {
        let cgroup = self.facts.cgroup.as_deref();
        self.held_back.add(&mut snapshot, cgroup);
        self.courtiers.add_words(&mut snapshot);
        self.courtiers.add_jails(&mut snapshot, cgroup);
        self.attributes.add(&mut snapshot);
        let sources: Vec<String> = self.monitors.sources().map(str::to_owned).collect();
        let (facts, routers) = (&self.facts, self.gateways.views());
        let own = || stats::Own { facts, routers, daemons: self.daemon_views() };
        let own = reader.is_master().then(own);
        stats::document(&snapshot, (own.as_ref(), &facts.rules, &sources), &Calendar::today(), form)
    }
}
