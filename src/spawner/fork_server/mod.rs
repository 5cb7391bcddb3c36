//! Fork servers of uWSGI: processes that are asked to make a vassal out of themselves, so that all share what is loaded.
//!
//! Must not: believe one, wait for one, or touch what a tenant names with rights of ours. So a child with the ids of the
//! vassal asks, and who answers has to be proven before it counts ([`proof`]).

mod adopt;
mod packet;
mod proof;
mod speaker;

use jail::{Namespaces, Phase};
use serde::{Deserialize, Serialize};

use super::attributes::Values;
use super::charter::Charter;
pub use adopt::{Commission, Question};
pub use proof::Claim;

/// Bytes of the name of a unix socket (`unix(7)`).
const NAME_MAX: usize = 107;

/// Which vassals are made by which fork server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForkServers {
    /// `emperor-use-fork-server`: of all.
    pub of_all: Option<Door>,
    /// `emperor-fork-server-attr`: the attribute with the one of a vassal.
    pub attribute: Option<String>,
    /// `vassal-fork-base`: vassals that are made by us.
    pub bases: Vec<String>,
}

/// Where a fork server listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Door {
    /// An absolute path.
    Path(String),
    /// `@NAME`.
    Abstract(String),
}

impl Door {
    /// Where the owner of a config says that his is.
    ///
    /// # Errors
    /// What is wrong with it.
    fn parse(text: &str) -> Result<Self, String> {
        let fits = |name: &str| (1..=NAME_MAX).contains(&name.len()) && !name.contains('\0');
        match text.strip_prefix('@') {
            Some(name) if fits(name) => Ok(Self::Abstract(name.into())),
            None if text.starts_with('/') && fits(text) => Ok(Self::Path(text.into())),
            _ => {
                Err("the attribute with its fork server is no absolute path of a socket and no @NAME".into())
            }
        }
    }
}

impl std::fmt::Display for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Abstract(name) => write!(f, "@{name}"),
        }
    }
}

impl ForkServers {
    /// The one of this vassal; `None` when we make it ourselves. A zerg's number does not reach it through one.
    ///
    /// # Errors
    /// What its config says of it cannot be.
    pub(super) fn of(&self, (name, is_zerg): (&str, bool), values: &Values) -> Result<Option<Door>, String> {
        if is_zerg || self.bases.iter().any(|base| base == name) {
            return Ok(None);
        }
        match self.attribute.as_deref().and_then(|attribute| values.first(attribute)) {
            Some(text) => Door::parse(text).map(Some),
            None => Ok(self.of_all.clone()),
        }
    }
}

/// What the administrator has asked for that a vassal born by a fork server would be without.
pub fn lost(charter: &Charter) -> Option<&'static str> {
    let done = |phase| charter.of_phase(phase).next().is_some();
    let before =
        [Phase::AsEmperorBeforeVassal, Phase::AsVassalBeforeDrop, Phase::AsVassal].into_iter().any(done);
    if charter.jail.is_some() || charter.namespaces != Namespaces::NONE {
        Some("it would be in no jail of its own: say `jail = none`, and leave `emperor-use-clone` out")
    } else if before {
        Some(
            "what is done before a vassal runs (hook-as-vassal, exec-as-vassal and their like) would not be done",
        )
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers() -> ForkServers {
        let of_all = Some(Door::Path("/run/base".into()));
        ForkServers { of_all, attribute: Some("server".into()), bases: vec!["base.ini".into()] }
    }

    #[test]
    fn bases_and_zergs_are_made_by_ourselves() {
        let none = Values::default();
        let of = |name, zerg| servers().of((name, zerg), &none).expect("well");
        assert_eq!(of("a.ini", false), Some(Door::Path("/run/base".into())));
        assert_eq!((of("base.ini", false), of("a.ini:zerg", true)), (None, None));
    }

    #[test]
    fn an_attribute_names_a_socket_or_nothing() {
        let of = |text: &str| {
            let values =
                Values::of(vec![("server".into(), text.into()), ("server".into(), "/second".into())]);
            servers().of(("a.ini", false), &values)
        };
        assert_eq!(of("/x"), Ok(Some(Door::Path("/x".into()))));
        assert_eq!(of("@x"), Ok(Some(Door::Abstract("x".into()))));
        for wrong in ["", "@", "x", "../x", "127.0.0.1:7", "@a\0b", &format!("/{}", "x".repeat(NAME_MAX))] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
