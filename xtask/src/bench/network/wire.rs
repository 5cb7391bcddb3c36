//! Ways from a jail to its host: what others have.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::place::{self, Place};
use super::traffic::Ends;
use crate::bench::lab::Lab;
use crate::bench::proc;

/// Two network namespaces, and what connects them.
#[derive(Debug)]
pub struct Wire {
    /// The host, as the jail sees it.
    address: String,
    // Programs end before the namespaces go.
    programs: Vec<Program>,
    host: Place,
    jail: Place,
}

/// A program with all that it starts; asked to end when it goes out of scope.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts it.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command) -> Result<Self> {
        let shown = format!("cannot run {:?}", command.get_args().nth(1).unwrap_or(command.get_program()));
        command.spawn().map(Self).context(shown)
    }

    /// It and all below it.
    pub fn pids(&self) -> Vec<i32> {
        proc::family(self.0.id().cast_signed(), Path::new(""))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.0), Signal::INT);
        let _ = place::wait("the end", || self.pids().is_empty());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Wire {
    /// What the kernel has for it.
    ///
    /// # Errors
    /// It cannot be made, as below.
    pub fn veth(_: &Lab) -> Result<Self> {
        let wire = Self::bare("10.71.0.1")?;
        let jail = wire.jail.file().display().to_string();
        let pid = jail.split('/').nth(2).context("a file of a process")?.to_owned();
        wire.host.ip(format!("link add host0 type veth peer name jail0 netns {pid}"))?;
        wire.address_both("10.71.0", ("host0", "jail0"), 1500)?;
        Ok(wire)
    }

    /// The floor, one packet at a time.
    pub fn relay(lab: &Lab) -> Result<Self> {
        Self::relayed(lab, "10.72.0", &[], 1500)
    }

    /// The floor with big packets.
    ///
    /// # Errors
    /// As above.
    pub fn relay_big(lab: &Lab) -> Result<Self> {
        Self::relayed(lab, "10.73.0", &[], 65_000)
    }

    /// The floor where 64 KiB of a stream pass as one.
    pub fn relay_offloaded(lab: &Lab) -> Result<Self> {
        Self::relayed(lab, "10.74.0", &["-v"], 1500)
    }

    /// The floor with both.
    pub fn relay_both(lab: &Lab) -> Result<Self> {
        Self::relayed(lab, "10.76.0", &["-v"], 65_000)
    }

    /// `slirp4netns`: a whole stack in user space.
    pub fn slirp(_: &Lab) -> Result<Self> {
        let mut wire = Self::bare("10.0.2.2")?;
        let mut command = wire.host.command("slirp4netns");
        command.args(["--netns-type=path", "--configure", "--mtu=65520", "--disable-dns"]);
        wire.start(command.arg(wire.jail.file()).arg("tap0"))?;
        wire.jail.wait_for("tap0")?;
        Ok(wire)
    }

    /// `pasta`: sockets of the host for those in the jail. It takes over what the host has towards the world.
    pub fn pasta(_: &Lab) -> Result<Self> {
        let mut wire = Self::bare("192.0.2.1")?;
        for words in [
            "link add up0 type veth peer name up1",
            "link set up1 up",
            "address add 192.0.2.2/24 dev up0",
            "link set up0 up",
            "route add default via 192.0.2.1",
        ] {
            wire.host.ip(words)?;
        }
        let mut command = wire.host.command("pasta");
        command.args(["--foreground", "--config-net", "--runas", "0", "--netns", "/proc/self/fd/0"]);
        wire.start(command.stdin(File::open(wire.jail.file())?))?;
        wire.jail.wait_for("up0")?;
        Ok(wire)
    }

    /// uWSGI's router with its client.
    pub fn uwsgi(lab: &Lab) -> Result<Self> {
        let mut wire = Self::bare("10.75.0.1")?;
        let uwsgi = lab.uwsgi.as_ref().context("uwsgi is not installed")?;
        let socket = lab.directory()?.join("router");
        let router = format!("uwsgi0 {}", socket.display());
        wire.start(wire.host.command(uwsgi).args([
            "--plugin",
            "tuntap",
            "--master",
            "--tuntap-router",
            &router,
        ]))?;
        place::wait("the router of uwsgi", || std::os::unix::net::UnixStream::connect(&socket).is_ok())?;
        // A packet of version 6 ends its connection.
        wire.jail.command("sysctl").args(["-q", "-w", "net.ipv6.conf.default.disable_ipv6=1"]).status()?;
        let mut client = wire.jail.command(uwsgi);
        client.args(["--plugin", "tuntap", "--master", "--jailed", "--uid", "65534", "--gid", "65534"]);
        wire.start(client.args(["--socket", "127.0.0.1:3031", "--tuntap-device", &router]))?;
        place::wait("the client of uwsgi", || wire.jail.ip("link show uwsgi0").is_ok())?;
        wire.address_both("10.75.0", ("uwsgi0", "uwsgi0"), 1500)?;
        Ok(wire)
    }

    /// Where traffic goes along it.
    pub fn ends(&self) -> Ends {
        Ends {
            address: self.address.clone(),
            host: self.host.file(),
            jails: vec![self.jail.file()],
            pids: self.programs.iter().flat_map(Program::pids).collect(),
        }
    }

    fn bare(address: &str) -> Result<Self> {
        let (host, jail) = (Place::new()?, Place::new()?);
        Ok(Self { address: address.to_owned(), programs: Vec::new(), host, jail })
    }

    fn start(&mut self, command: &mut Command) -> Result<()> {
        self.programs.push(Program::start(command)?);
        Ok(())
    }

    fn relayed(lab: &Lab, network: &str, flags: &[&str], mtu: u32) -> Result<Self> {
        let mut wire = Self::bare(&format!("{network}.1"))?;
        let mut command = Command::new(lab.beside("relay"));
        command.args(flags).arg(wire.host.file()).arg(wire.jail.file());
        wire.start(command.stdin(Stdio::piped()).stdout(Stdio::null()))?;
        place::wait("the relay", || {
            wire.jail.ip("link show tun0").and(wire.host.ip("link show tun0")).is_ok()
        })?;
        wire.address_both(network, ("tun0", "tun0"), mtu)?;
        Ok(wire)
    }

    /// The host has 1, the jail 2.
    fn address_both(&self, network: &str, (host, jail): (&str, &str), mtu: u32) -> Result<()> {
        for (place, number, device) in [(&self.host, 1, host), (&self.jail, 2, jail)] {
            place.ip(format!("address add {network}.{number}/24 dev {device}"))?;
            place.ip(format!("link set {device} mtu {mtu} up"))?;
        }
        Ok(())
    }
}
