//! Whose lines somebody may read: a vassal's, or those of one of its daemons.

use super::Runtime;
use super::household::HOUSEHOLD;
use super::wishes::absent_one;
use crate::config::vassal::daemons::is_name;
use crate::control::wish::OURS;
use crate::emperor::event::VassalId;
use crate::emperor::sender::Sender;
use crate::emperor::snapshot::VassalView;

impl Runtime {
    /// A vassal whose output he may read, or one and what comes after the last slash: a daemon of it.
    pub(super) fn meant_by(&self, sender: Sender, name: &str) -> Result<(VassalId, Option<String>), String> {
        let refusal = match self.read_by(sender, name) {
            Ok(id) => return Ok((id, None)),
            Err(sentence) => sentence,
        };
        let daemon = name.rsplit_once('/').filter(|(_, daemon)| is_name(daemon));
        let Some((vassal, daemon)) = daemon else { return Err(refusal) };
        // Of a vassal that is not his he hears what he hears of one that is not there.
        let id = self.read_by(sender, vassal).map_err(|_| refusal)?;
        self.courtiers.daemons(id).map_or(Ok(()), |(_, daemons)| daemons.check(daemon))?;
        Ok((id, Some(daemon.to_owned())))
    }

    /// The one vassal of this name whose output he may read, whether it runs or not.
    fn read_by(&self, sender: Sender, name: &str) -> Result<VassalId, String> {
        if name == OURS && sender.is_master() && self.courtiers.daemons(HOUSEHOLD).is_some() {
            return Ok(HOUSEHOLD);
        }
        let known = self.emperor.views_of(name);
        let wrote =
            |id: VassalId| self.keeper.owners.get(&id.0).is_none_or(|owner| sender.may_command(*owner));
        let is_his = |view: &VassalView| sender.may_command(view.owner) && wrote(view.id);
        let mut own: Vec<_> = known.into_iter().filter(is_his).collect();
        if own.iter().any(|view| &*view.key.name == name) {
            own.retain(|view| &*view.key.name == name);
        }
        match own.len() {
            0 => Err(absent_one(sender, name)),
            1 => Ok(own.swap_remove(0).id),
            count => Err(format!("`{name}` are {count} vassals: say the whole name of one")),
        }
    }
}
