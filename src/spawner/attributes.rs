//! Reads what a config says of its vassal before that is born (`emperor-collect-attr`): in a short-lived child with the ids
//! of the vassal, as the config is a tenant's.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use super::birth::c_string;
use super::charter::{Charter, VassalProgram};
use super::court::Court;
use super::envoys::{Errand, Mission, Word, Work};
use super::owners::identity_of;
use super::push;
use super::summons::Summons;
use super::wire::{Reply, Ticket};
use crate::config::attributes::{SUFFIX, collect};
use crate::parting::Visited;
use crate::trust::Examined;

/// What is read, and what becomes of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// Names of all that is read.
    pub names: Vec<String>,
    /// `emperor-wrapper-attr`: the one with the program.
    pub wrapper: Option<String>,
    /// `emperor-chdir-attr`: the one with its working directory.
    pub directory: Option<String>,
}

/// What was read, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<(String, String)>);

impl Charter {
    /// Whether anything is read of this vassal. A zerg has nothing of its own.
    pub(super) fn reads(&self, summons: &Summons<'_>) -> bool {
        !self.attributes.names.is_empty() && summons.zerg.is_none() && summons.file.ends_with(SUFFIX)
    }
}

impl Values {
    /// These.
    pub fn of(list: Vec<(String, String)>) -> Self {
        Self(list)
    }

    /// The first of this name, as in uWSGI.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What the administrator decided, with the program that this vassal has asked for. Everything else that is decided by
    /// the kind of the program follows from that.
    pub fn applied(&self, charter: &Rc<Charter>) -> Rc<Charter> {
        let wrapper = charter.attributes.wrapper.as_deref().and_then(|name| self.first(name));
        let Some(wrapper) = wrapper.filter(|wrapper| !wrapper.is_empty()) else { return Rc::clone(charter) };
        Rc::new(Charter { program: charter.program.with(wrapper), ..Charter::clone(charter) })
    }

    /// Whether its owner may have named paths that do not answer.
    pub fn name_paths(&self) -> bool {
        !self.0.is_empty()
    }

    /// Where this vassal has asked to be.
    pub fn arrival(&self, charter: &Charter) -> Option<CString> {
        charter.attributes.directory.as_deref().and_then(|name| self.first(name)).map(c_string)
    }
}

impl VassalProgram {
    /// With this program in the place of the main one; what is to be tried before and after it stays.
    fn with(&self, program: &str) -> Self {
        match self {
            Self::Own | Self::Path(_) => Self::Path(program.into()),
            Self::First(paths, main) => {
                let mut paths = paths.clone();
                paths[*main] = program.into();
                Self::First(paths, *main)
            }
        }
    }
}

/// A vassal that will be born when somebody has read what its config says.
pub struct Candidate {
    ticket: Ticket,
    file: String,
    name: String,
    directory: OwnedFd,
    control: OwnedFd,
    output: Option<OwnedFd>,
    listener: Option<Visited>,
    away: bool,
    config: Examined,
}

impl Candidate {
    fn of(summons: &Summons<'_>, config: Examined) -> io::Result<Self> {
        Ok(Self {
            ticket: summons.ticket,
            file: summons.file.into(),
            name: summons.name.clone(),
            directory: summons.directory.try_clone_to_owned()?,
            control: summons.control.try_clone_to_owned()?,
            output: summons.output.map(|output| output.try_clone_to_owned()).transpose()?,
            listener: summons.listener.map(|one| one.try_clone_to_owned()).transpose()?.map(Visited::from),
            away: summons.away,
            config,
        })
    }

    /// The process to be.
    pub fn ticket(&self) -> Ticket {
        self.ticket
    }

    /// Whose it is.
    pub fn uid(&self) -> u32 {
        self.config.owner.uid
    }
}

impl Court {
    /// Has the config read. Its birth goes on when that is done.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn read_attributes(
        &mut self,
        summons: &Summons<'_>,
        config: Examined,
    ) -> Result<Vec<Reply>, String> {
        let identity = identity_of(&self.charter, config.trust);
        let none = |error| format!("no descriptor is left: {error}");
        let copy = config.file.try_clone().map_err(none)?;
        let candidate = Candidate::of(summons, config).map_err(none)?;
        let charter = Rc::clone(&self.charter);
        let work: Work = Box::new(move |kept| (read(&kept[0], &charter.attributes.names), None));
        let errand = Errand { identity, kept: vec![copy], work };
        self.send_envoy(Mission::Read(Box::new(candidate)), errand)?;
        Ok(Vec::new())
    }

    /// # Errors
    /// A sentence.
    pub(super) fn go_on_with(
        &mut self,
        candidate: Candidate,
        list: Vec<(String, String)>,
    ) -> Result<Vec<Reply>, String> {
        let told = Reply::Attributes(candidate.ticket, list.clone());
        let summons = Summons {
            ticket: candidate.ticket,
            file: &candidate.file,
            name: candidate.name,
            zerg: None,
            directory: candidate.directory.as_fd(),
            control: candidate.control.as_fd(),
            output: candidate.output.as_ref().map(AsFd::as_fd),
            listener: candidate.listener.as_ref().map(AsFd::as_fd),
            away: candidate.away,
        };
        let born = self.deliver(summons, candidate.config, &Values::of(list))?;
        Ok(std::iter::once(told).chain(born).collect())
    }
}

fn read(config: &OwnedFd, names: &[String]) -> Word {
    match push::text(config.as_fd()) {
        Ok(text) => collect(&text, names).map_or_else(Word::Failed, Word::Attributes),
        Err(error) => Word::Failed(format!("cannot read it: {error}")),
    }
}
