//! Whom programs ask for names, in the vassal's own view of `/etc/resolv.conf`.

use std::path::Path;

use jail::run::cover;
use rustix::io::Errno;

use super::super::state::Vassal;
use super::super::trouble::Trouble;
use crate::config::vassal::rootfs::RESOLV_CONF;

/// Name servers that are written down; who reads them takes three.
const RESOLVERS_MAX: usize = 8;

/// Writes down those that routers have named. Where that cannot be it is told, and no more unless some were `asked` for.
///
/// # Errors
/// It cannot be, and they were asked for.
pub fn write(vassal: &mut Vassal, asked: bool) -> Result<(), Trouble> {
    let list = std::mem::take(&mut vassal.resolvers);
    if list.is_empty() {
        return Ok(());
    }
    let lines = list.iter().take(RESOLVERS_MAX).map(|address| format!("nameserver {address}\n"));
    let Err(failure) = cover(Path::new(RESOLV_CONF), &lines.collect::<String>()) else { return Ok(()) };
    let trouble = Trouble::new(format!("cannot write the name servers of the network: {}", failure.cause()));
    let trouble = match failure.errno {
        errno if errno == Errno::NOENT.raw_os_error() => {
            trouble.advise("make an empty file there, or say `dns=none`")
        }
        errno if errno == Errno::PERM.raw_os_error() => trouble
            .advise("this needs `sys_admin` over the vassal's own mounts (see `emperor-cap`), or `dns=none`"),
        _ => trouble.advise("`dns=none` leaves it as it is"),
    };
    if asked {
        return Err(trouble);
    }
    vassal.teller.nuisance(&trouble);
    Ok(())
}
