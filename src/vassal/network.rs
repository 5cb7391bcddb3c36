//! Carries out the steps of a vassal's network, and tells why one failed.

use jail::plan::{Link, LinkKind};
use jail::run::NetworkEnd;
use jail::{Failure, sys};
use rustix::io::Errno;

use super::hooks::wait;
use super::net::NetStep;
use super::state::Vassal;
use super::trouble::Trouble;
use super::tuntap;

/// Looks, one every 50 ms, at something that the vassal before us may still have.
const LOOKS_MAX: usize = 60;

/// Takes one step.
///
/// # Errors
/// What the kernel refuses, with its own words where it has some.
pub fn take(vassal: &mut Vassal, step: &NetStep) -> Result<(), Trouble> {
    match step {
        NetStep::Via(via, who) => tuntap::join(vassal, via, who.as_ref()),
        NetStep::Device(device, feed) => tuntap::start(vassal, device, feed),
        NetStep::Names(asked) => tuntap::write(vassal, *asked),
        NetStep::NamesLeft => {
            vassal.resolvers.clear();
            Ok(())
        }
        plain => take_plain(vassal, plain),
    }
}

fn take_plain(vassal: &mut Vassal, step: &NetStep) -> Result<(), Trouble> {
    let mut done = carry_out(vassal, step);
    for _ in 0..LOOKS_MAX {
        if !done.as_ref().is_err_and(|failure| is_perhaps_ending(step, failure.errno)) {
            break;
        }
        wait::briefly(vassal, &step.to_string())?;
        done = carry_out(vassal, step);
    }
    done.map_err(|failure| {
        let trouble = Trouble::new(format!("cannot {step}: {}", failure.cause()));
        match advice(step, Errno::from_raw_os_error(failure.errno)) {
            Some(advice) => trouble.advise(advice),
            None => trouble,
        }
    })
}

/// The kernel takes a network apart a little after its last process: the vassal before us may still have what we want.
fn is_perhaps_ending(step: &NetStep, errno: i32) -> bool {
    let NetStep::Give(link) = step else { return false };
    match link.kind {
        LinkKind::Veth(_) => errno == Errno::EXIST.raw_os_error(),
        LinkKind::Moved => errno == Errno::NODEV.raw_os_error(),
        LinkKind::Macvlan(_) | LinkKind::Ipvlan(_) => false,
    }
}

fn carry_out(vassal: &mut Vassal, step: &NetStep) -> Result<(), Failure> {
    match step {
        NetStep::Keep => vassal.outside = Some(NetworkEnd::open()?),
        NetStep::Give(link) => {
            vassal.outside.as_ref().ok_or("the network outside was left without a way back")?.give(link)?;
        }
        NetStep::LetGo => vassal.outside = None,
        NetStep::Up(name) => sys::interface(name, true)?,
        NetStep::Down(name) => sys::interface(name, false)?,
        NetStep::Address(address) => NetworkEnd::open()?.address(address)?,
        NetStep::Route(route) => NetworkEnd::open()?.route(route)?,
        NetStep::Via(..) | NetStep::Device(..) | NetStep::Names(_) | NetStep::NamesLeft => {
            unreachable!("take() has these carried out elsewhere")
        }
    }
    Ok(())
}

fn advice(step: &NetStep, errno: Errno) -> Option<String> {
    match (step, errno) {
        (NetStep::Give(link), errno) => given(link, errno),
        (NetStep::Address(address), Errno::EXIST) => {
            Some(format!("{} has this address already: leave out one of the two", address.interface))
        }
        (NetStep::Address(_) | NetStep::Route(_) | NetStep::Up(_) | NetStep::Down(_), Errno::NODEV) => Some(
            "there is no such interface in the jail: correct the name, or wait for it (`wait-for-interface`)"
                .into(),
        ),
        (NetStep::Address(_), Errno::ACCESS) => {
            Some("IPv6 is switched off here (net.ipv6.conf.*.disable_ipv6)".into())
        }
        (NetStep::Route(_), Errno::EXIST) => Some("there is a route to that network already".into()),
        (NetStep::Route(_), Errno::NETUNREACH | Errno::HOSTUNREACH | Errno::NETDOWN) => {
            Some("the gateway must be in the network of some `net-address`, and its interface up".into())
        }
        (_, Errno::PERM) => Some("this needs `net_admin` over this network (see `emperor-cap`)".into()),
        _ => None,
    }
}

fn given(link: &Link, errno: Errno) -> Option<String> {
    let kind = match link.kind {
        LinkKind::Veth(_) => "veth",
        LinkKind::Macvlan(_) => "macvlan",
        LinkKind::Ipvlan(_) => "ipvlan",
        LinkKind::Moved => "this",
    };
    Some(match (errno, &link.kind) {
        (Errno::EXIST, LinkKind::Veth(_)) => {
            format!(
                "the name is taken: an interface {} is outside already, or {} in the jail",
                link.outside, link.inside
            )
        }
        (Errno::EXIST, _) => {
            format!("the jail has an interface {} already: choose another name", link.inside)
        }
        (Errno::OPNOTSUPP, LinkKind::Veth(end)) if end.bridge.is_none() => missing(kind),
        (Errno::OPNOTSUPP, LinkKind::Macvlan(_) | LinkKind::Ipvlan(_)) => missing(kind),
        (Errno::OPNOTSUPP, LinkKind::Veth(_)) => format!("{}; else that is no bridge", missing(kind)),
        (Errno::NODEV, _) => "there is no such interface outside: make it first, or correct the name".into(),
        (Errno::BUSY, _) => format!("{} is in use in a way that forbids it", link.outside),
        (Errno::INVAL, LinkKind::Moved) => "bridges, tunnels and `lo` cannot leave their network".into(),
        (Errno::PERM, _) => "only root of the network outside can give something from it".into(),
        _ => return None,
    })
}

fn missing(kind: &str) -> String {
    format!("this kernel has no {kind}: `modprobe {kind}` on the host, or use another kind")
}
