//! `net = … via ROUTER`: a device in the jail, given to a router that reads and writes it.

use std::os::fd::AsFd;

use jail::plan::Address;
use jail::run::NetworkEnd;
use jail::{Failure, Identity, sys};
use routers::tuntap::talk::{LABEL_MAX, Say, Welcome, Word};
use rustix::io::Errno;

use super::super::identity;
use super::super::state::Vassal;
use super::super::step::Wanted;
use super::super::trouble::Trouble;
use super::call::{Call, plain};
use super::settle::{Settled, settle};
use super::{device, knobs, lent};
use crate::config::vassal::tuntap::{DEVICE, Via};

/// Joins it. The connection stands for us until we end.
///
/// # Errors
/// There is no router, it refuses, or what the kernel refuses.
pub fn join(vassal: &mut Vassal, via: &Via, who: Option<&Wanted>) -> Result<(), Trouble> {
    let routers = std::mem::take(&mut vassal.routers);
    let joined = join_one(vassal, via, (&routers, who));
    vassal.routers = routers;
    joined
}

fn join_one(
    vassal: &mut Vassal,
    via: &Via,
    (routers, who): (&[lent::Router], Option<&Wanted>),
) -> Result<(), Trouble> {
    let way = lent::way(routers, &via.router)?;
    let who = known(vassal, who)?;
    let device = device::make(vassal, &via.device)?;
    device::offload(&device).map_err(|errno| Trouble::errno(format!("set up {}", via.device), errno))?;
    let mut call = Call::new(vassal, &way, who.as_ref())?;
    call.hello()?;
    let welcome = match call.hear(vassal)? {
        Word::Welcome(welcome) => welcome,
        word => return Err(unexpected(&way.name, &word)),
    };
    let addresses = via.addresses.iter().map(|prefix| prefix.address).collect();
    call.say(
        &Say::Claim { addresses, label: label(vassal.teller.name(), &via.device) },
        Some(device.as_fd()),
    )?;
    let held = match call.hear(vassal)? {
        Word::Held(held) => held,
        word => return Err(unexpected(&way.name, &word)),
    };
    let settled = settle(via, &welcome, &held)
        .map_err(|trouble| Trouble { cause: format!("router {}: {}", way.name, trouble.cause), ..trouble })?;
    make_up(&via.device, &settled).map_err(|failure| untaken(&via.device, &settled, &failure))?;
    tell(vassal, via, &settled, &welcome);
    tell_of_no_names(vassal, &way.name, &settled);
    vassal.resolvers.extend(settled.names);
    vassal.lines.push(call.into_line());
    Ok(())
}

/// Nobody is left whom it could ask for names.
fn tell_of_no_names(vassal: &Vassal, router: &str, settled: &Settled) {
    if settled.unasked.is_empty() {
        return;
    }
    let servers: Vec<String> = settled.unasked.iter().map(ToString::to_string).collect();
    let cause = format!(
        "router {router}: names cannot be asked for: the vassal has no address of the version of {}",
        servers.join(", ")
    );
    let advice =
        "say another one (`dns=ADDRESS`), or `dns=none`; or give the vassal an address of that version, too";
    vassal.teller.nuisance(&Trouble::new(cause).advise(advice));
}

/// Who the vassal will be.
///
/// # Errors
/// A user whom nobody knows.
pub fn known(vassal: &Vassal, who: Option<&Wanted>) -> Result<Option<Identity>, Trouble> {
    match (who, &vassal.identity) {
        (None, _) => Ok(None),
        (Some(_), Some(identity)) => Ok(Some(identity.clone())),
        (Some(wanted), None) => identity::resolve(wanted).map(Some).map_err(|trouble| Trouble {
            cause: format!("cannot tell the router who this vassal will be: {}", trouble.cause),
            ..trouble
        }),
    }
}

/// The vassal; a second device of it besides, so that each has its own addresses.
fn label(name: &str, device: &str) -> String {
    let name = name.rsplit('/').next().unwrap_or(name);
    let label = if device == DEVICE { name.to_owned() } else { format!("{name} {device}") };
    let from = (0..=label.len()).find(|at| label.is_char_boundary(*at) && label.len() - at <= LABEL_MAX);
    label[from.unwrap_or_default()..].to_owned()
}

/// Everything else comes after the device is up but its silence.
fn make_up(device: &str, settled: &Settled) -> Result<(), Failure> {
    let end = NetworkEnd::open()?;
    match end.silence(device) {
        Err(failure) if failure.errno != Errno::AFNOSUPPORT.raw_os_error() => return Err(failure),
        _ => {}
    }
    let is_v6 = |address: &Address| address.prefix.address.is_ipv6();
    knobs::set(device, settled.addresses.iter().any(is_v6));
    end.mtu(device, settled.mtu)?;
    sys::interface(device, true)?;
    settled.addresses.iter().try_for_each(|address| end.address(address))?;
    settled.routes.iter().try_for_each(|route| end.route(route))
}

fn untaken(device: &str, settled: &Settled, failure: &Failure) -> Trouble {
    let trouble = Trouble::new(format!("cannot set up {device}: {}", failure.cause()));
    let is_v6 = |address: &Address| address.prefix.address.is_ipv6();
    match Errno::from_raw_os_error(failure.errno) {
        Errno::EXIST => trouble
            .advise("another network of this vassal has a default route: `route=none` with one of them"),
        Errno::INVAL | Errno::ACCESS | Errno::OPNOTSUPP if settled.addresses.iter().any(is_v6) => {
            trouble.advise("version 6 takes an mtu of 1280 at least, and must not be switched off")
        }
        _ => trouble,
    }
}

fn unexpected(name: &str, word: &Word) -> Trouble {
    Trouble::new(format!("router {name} makes no sense: it answers {}", plain(&format!("{word:?}"))))
}

/// One line, so that whoever looks for the vassal's address finds it.
fn tell(vassal: &Vassal, via: &Via, settled: &Settled, welcome: &Welcome) {
    let list: Vec<String> = settled.addresses.iter().map(|address| address.prefix.to_string()).collect();
    let router = plain(&welcome.device);
    vassal.teller.said(&format!("network: {} has {} by router {router}", via.device, list.join(", ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_short_and_names_the_device_only_where_it_has_to() {
        assert_eq!(label("/etc/vassals/shop.ini", "tun0"), "shop.ini");
        assert_eq!(label("shop.ini", "lan0"), "shop.ini lan0");
        let long = label(&"ä".repeat(100), "tun0");
        assert!(long.len() <= LABEL_MAX && long.len() > LABEL_MAX - 2, "{}", long.len());
    }
}
