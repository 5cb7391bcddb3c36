//! The emulator, and the machine that it is asked for.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use super::archive::mirror;
use crate::program;
use crate::test::packages;

use super::kernel::Fetched;

const QEMU: &str = "qemu-system-x86_64";
/// Older ones emulate processors on which Linux 6.12 crashes now and then.
const VERSION_MIN: u32 = 10;
const MEMORY: &str = "1024";
const PROCESSORS: &str = "2";
/// Bytes of an empty disk; what is not written takes no room.
const EMPTY: u64 = 256 << 20;
/// A panic ends the machine; nothing is random but what has to be; what guards against leaks costs time and hides nothing here.
const COMMAND_LINE: &str = "console=ttyS0 panic=-1 oops=panic quiet loglevel=3 nokaslr mitigations=off audit=0 random.trust_cpu=on \
                            tsc=reliable";

/// A QEMU that will do.
#[derive(Debug)]
pub struct Emulator {
    kvm: bool,
}

/// Of a machine.
#[derive(Debug)]
pub enum Disk {
    /// The root file system of systemd, which is never written to.
    System(PathBuf),
    /// Nothing is on it: a bare boot has its root file system in memory.
    Empty(PathBuf),
}

impl Disk {
    /// Makes one with nothing on it.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn empty(path: PathBuf) -> Result<Self> {
        fs::File::create(&path)?.set_len(EMPTY)?;
        Ok(Self::Empty(path))
    }
}

/// One boot.
#[derive(Debug)]
pub struct Plan<'a> {
    /// What boots.
    pub kernel: &'a Fetched,
    /// With everything that a bare boot needs.
    pub initrd: PathBuf,
    /// What is its only disk.
    pub disk: Disk,
    /// For what comes back.
    pub scratch: &'a Path,
}

impl Plan<'_> {
    /// `start NAME` and `end NAME STATUS SECONDS` as they happened.
    pub fn status(&self) -> PathBuf {
        self.scratch.join("status")
    }

    /// What the cases left for us, as a tar.
    pub fn files(&self) -> PathBuf {
        self.scratch.join("files.tar")
    }

    /// What the kernel said.
    pub fn console(&self) -> PathBuf {
        self.scratch.join("console")
    }
}

impl Emulator {
    /// Finds one, or installs it.
    ///
    /// # Errors
    /// There is none that is new enough.
    pub fn find() -> Result<Self> {
        if version().is_none_or(|version| version < VERSION_MIN) {
            fs::create_dir_all(super::store())?;
            packages::backport("qemu-system-x86", &mirror()?, &super::store().join("backports.list"));
        }
        match version() {
            Some(version) if version >= VERSION_MIN => Ok(Self { kvm: has_kvm() }),
            Some(version) => bail!(
                "QEMU {version} is too old, {VERSION_MIN} is needed: install qemu-system-x86 from the backports of the distribution"
            ),
            None => bail!("{QEMU} is not installed: install the package qemu-system-x86"),
        }
    }

    /// The command line of a machine without a network. It dies with us, whatever ends us.
    pub fn command(&self, plan: &Plan<'_>) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", QEMU, "-M", "q35,usb=off,vmport=off"]);
        command.args(if self.kvm { ["-accel", "kvm", "-cpu", "host"] } else { EMULATED });
        command.args(["-smp", PROCESSORS, "-m", MEMORY]);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-nic", "none"]);
        command.arg("-kernel").arg(plan.kernel.image()).arg("-initrd").arg(&plan.initrd);
        let (mode, drive) = match &plan.disk {
            // What is written lasts as long as the emulator, over reboots too.
            Disk::System(path) => (
                "liege.mode=systemd systemd.show_status=false",
                format!("file={},snapshot=on", path.display()),
            ),
            Disk::Empty(path) => {
                command.arg("-no-reboot");
                ("", format!("file={}", path.display()))
            }
        };
        command.args(["-drive", &format!("{drive},if=virtio,format=raw,cache=unsafe")]);
        let clock = if self.kvm { "" } else { EMULATED_CLOCK };
        command.args(["-append", &format!("{COMMAND_LINE} {clock} {mode}"), "-device", "virtio-rng-pci"]);
        let console = format!("file,id=console,path={}", plan.console().display());
        command.args(["-chardev", &console, "-serial", "chardev:console", "-device", "virtio-serial-pci"]);
        port(&mut command, "vm.out", "file,path=/dev/stdout");
        port(&mut command, "vm.status", &format!("file,path={}", plan.status().display()));
        port(&mut command, "vm.files", &format!("file,path={}", plan.files().display()));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }
}

/// Not by the processor's counter, whose frequency has to be measured first: on a machine with other work the guest's seconds would be a third of ours,
/// and so would the time that it gives its cases. Nor is its timer tried at boot: one that ticks too seldom, because others have the
/// processor, would be taken for a broken one, and be the end.
const EMULATED_CLOCK: &str = "clocksource=acpi_pm no_timer_check";
const EMULATED: [&str; 4] = ["-accel", "tcg,thread=multi", "-cpu", "max"];

fn port(command: &mut Command, name: &str, backend: &str) {
    command.args(["-chardev", &format!("{backend},id={name}")]);
    command.args(["-device", &format!("virtserialport,chardev={name},name={name}")]);
}

fn version() -> Option<u32> {
    let text = program::output(Command::new(QEMU).arg("--version")).ok()?;
    text.split_once("version ")?.1.split('.').next()?.parse().ok()
}

/// A `/dev/kvm` without the processor's help cannot run a kernel that was not made for it.
fn has_kvm() -> bool {
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let helps = processor.split_whitespace().any(|word| matches!(word, "vmx" | "svm"));
    helps && OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}
