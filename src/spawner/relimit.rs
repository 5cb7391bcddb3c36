//! Limits of vassals, at birth and while they live.

use std::path::Path;
use std::rc::Rc;

use jail::plan::Knob;
use jail::run::Cgroup;

use super::allowance::Allowance;
use super::charter::Charter;
use super::court::{Court, leaf_number};
use super::wire::Ticket;
use crate::config::emperor::limits_file::{LimitsFile, changes};
use crate::emperor::brood::ZERG;
use crate::log;

/// What vassals may take.
pub(super) struct Limits {
    /// The file of `emperor-limits`.
    allowance: Option<Allowance>,
    /// What everybody has; shared by all who have nothing else.
    everybodys: Rc<[Knob]>,
}

impl Limits {
    /// Makes sure that every limit can be set here. A limit that was asked for and cannot be set is no limit: nobody is
    /// born then.
    ///
    /// # Errors
    /// What is missing, or wrong with the file.
    pub(super) fn open(
        charter: &Charter,
        cgroup: Option<&mut Cgroup>,
        missing: Option<&str>,
    ) -> Result<Self, String> {
        let path = charter.limits_file.as_deref().map(Path::new);
        let allowance = path.map(Allowance::open).transpose()?;
        let file = allowance.as_ref().map(Allowance::limits);
        let limits = Self { everybodys: charter.resources.clone().into(), allowance: None };
        limits.require(cgroup, file, missing)?;
        Ok(Self { allowance, ..limits })
    }

    /// Without any, where they could not be had.
    pub(super) fn none() -> Self {
        Self { allowance: None, everybodys: Rc::new([]) }
    }

    fn require(
        &self,
        cgroup: Option<&mut Cgroup>,
        file: Option<&LimitsFile>,
        missing: Option<&str>,
    ) -> Result<(), String> {
        let own = file.into_iter().flat_map(LimitsFile::knobs);
        let all: Vec<Knob> = self.everybodys.iter().chain(own).cloned().collect();
        let Some(first) = all.first() else { return Ok(()) };
        let outcome = match cgroup {
            Some(cgroup) => cgroup.delegate(&all),
            None => Err(missing.unwrap_or_default().to_owned()),
        };
        outcome.map_err(|reason| format!("{}: {reason}", first.option))
    }

    /// Those of one vassal, and of each of its zergs.
    pub(super) fn of(&self, vassal: &str, uid: u32) -> Rc<[Knob]> {
        let vassal = vassal.strip_suffix(ZERG).unwrap_or(vassal);
        match &self.allowance {
            Some(allowance) => allowance.limits().of(vassal, uid, &self.everybodys).into(),
            None => Rc::clone(&self.everybodys),
        }
    }

    /// Ready when the file may have changed.
    pub(super) fn descriptor(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.allowance.as_ref().map(Allowance::descriptor)
    }
}

/// What a vassal may take by the charter and by the file as it is now; nothing is set.
///
/// # Errors
/// What is wrong with the file.
pub fn limits_of(charter: &Charter, vassal: &str, uid: u32) -> Result<Vec<Knob>, String> {
    let allowance = charter.limits_file.as_deref().map(Path::new).map(Allowance::open).transpose()?;
    let limits = Limits { allowance, everybodys: charter.resources.clone().into() };
    Ok(limits.of(vassal, uid).to_vec())
}

impl Court {
    /// Where the leaves of vassals are, where they have limits.
    pub(super) fn path_of_leaves(&self) -> Option<String> {
        let limited = self.cgroup.as_ref().filter(|_| self.charter.is_limited());
        limited.map(|cgroup| cgroup.path().display().to_string())
    }

    /// Carries a change of the file out on everybody who runs. One that cannot be carried out changes nothing.
    pub(super) fn hear_limits(&mut self) {
        let Some(allowance) = &mut self.limits.allowance else { return };
        let path = allowance.path().display().to_string();
        let news = allowance.hear().and_then(|news| {
            let Some(news) = news else { return Ok(None) };
            self.limits.require(self.cgroup.as_mut(), Some(&news), None).map(|()| Some(news))
        });
        match news {
            Ok(None) => {}
            Ok(Some(news)) => {
                log::info("limits", &format!("{path} was read again"));
                self.relimit_all(news);
            }
            Err(reason) => log::warn("limits", &format!("the last good limits still hold: {reason}")),
        }
    }

    fn relimit_all(&mut self, news: LimitsFile) {
        if let Some(allowance) = &mut self.limits.allowance {
            allowance.take(news);
        }
        let all: Vec<Ticket> = self.wards.each().map(|(ticket, _)| *ticket).collect();
        all.into_iter().for_each(|ticket| self.relimit(ticket));
    }

    fn relimit(&mut self, ticket: Ticket) {
        let (Some(ward), Some(cgroup)) = (self.wards.get_mut(ticket), &self.cgroup) else { return };
        let knobs = self.limits.of(&ward.name, ward.owner.uid);
        let news = changes(&ward.knobs, &knobs);
        if news.is_empty() {
            return;
        }
        let number = leaf_number(ticket);
        let outcome = cgroup.leaf(number).map_err(|errno| errno.to_string());
        let outcome = outcome.and_then(|leaf| Cgroup::limit(&leaf, &news));
        let list: Vec<&str> = news.iter().map(|knob| knob.option.as_str()).collect();
        match outcome {
            Ok(()) => log::line(
                log::Level::Info,
                &[("vassal", &ward.name)],
                &format!("limits changed: {}", list.join(", ")),
            ),
            Err(reason) => log::line(log::Level::Warn, &[("vassal", &ward.name)], &reason),
        }
        let place = cgroup.path().join(number.to_string());
        self.strains.watch(ticket, &ward.name, &place, &knobs);
        ward.knobs = knobs;
    }
}
