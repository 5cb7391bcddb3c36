//! Pure. Where the control socket is: beside the stats, unless the Emperor was told another place.

use std::path::{Path, PathBuf};

use crate::config::vassal::Address;
use crate::stats;

/// What is added to the name of the stats socket.
const SUFFIX: &str = ".control";
/// Its name beside stats at the usual place.
const NAME: &str = "control.sock";

/// Where it is, if the stats are served here.
pub fn beside(stats: &Address) -> Option<Address> {
    match stats {
        Address::Unix(path) => Some(Address::Unix(beside_file(path))),
        Address::Abstract(name) => Some(Address::Abstract(format!("{name}{SUFFIX}"))),
        Address::Tcp(_) | Address::Inherited(_) => None,
    }
}

fn beside_file(path: &Path) -> PathBuf {
    let is_usual = |usual: &Path| {
        usual.file_name() == path.file_name()
            && path.parent().is_some_and(|directory| directory.ends_with("liege"))
    };
    if is_usual(Path::new(stats::OF_ROOT)) {
        return path.with_file_name(NAME);
    }
    let mut name = path.to_owned().into_os_string();
    name.push(SUFFIX);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_beside_the_stats() {
        let unix = |path: &str| Address::Unix(path.into());
        assert_eq!(beside(&unix(stats::OF_ROOT)), Some(unix("/run/liege/control.sock")));
        assert_eq!(beside(&unix("/srv/x")), Some(unix("/srv/x.control")));
        assert_eq!(beside(&Address::Abstract("x".into())), Some(Address::Abstract("x.control".into())));
        assert_eq!(beside(&Address::Inherited(3)), None);
    }
}
