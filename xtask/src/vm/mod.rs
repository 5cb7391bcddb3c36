//! `cargo xtask vm`: the cases of `tests-vm/` on real kernels, as root of a machine of their own.

pub mod apparmor;
mod archive;
mod boot;
mod cases;
mod files;
mod interrupt;
mod kernel;
mod machine;
mod report;
mod system;

use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::program;
use crate::scratch::Scratch;
use crate::test::{packages, rows};

use cases::{Case, Mode};
use interrupt::Interrupt;
use kernel::Kernel;
use machine::Disk;
use report::Report;

/// Package, and the program by which it is known to be there.
const NEEDED: [(&str, &str); 5] = [
    ("busybox-static", "busybox-static"),
    ("cpio", "cpio"),
    ("xz-utils", "xz"),
    ("gcc", "gcc"),
    ("binutils", "strip"),
];

/// What was typed.
#[derive(Debug, Default)]
struct Wish {
    /// On every kernel, else on the newest.
    all: bool,
    /// Only cases that say that they are quick.
    quick: bool,
    /// Names of kernels.
    kernels: Vec<&'static str>,
    /// Parts of the names of cases; none is every case.
    names: Vec<String>,
}

/// Runs the cases, one boot for each kernel and mode; false when one failed.
///
/// # Errors
/// A word that is none, no QEMU, no kernel; or it was interrupted.
pub fn run(words: &[&str]) -> Result<bool> {
    let wish = Wish::of(words)?;
    let cases = wish.choose(cases::all()?)?;
    packages::provide(&NEEDED);
    let emulator = match machine::Emulator::find() {
        // What everybody runs before a change goes in must not depend on what a machine cannot have.
        Err(reason) if wish.quick => {
            println!("xtask: vm: skipped: {reason:#}");
            return Ok(true);
        }
        found => found?,
    };
    fs::create_dir_all(store())?;
    let mut report = Report::new(!wish.names.is_empty());
    for kernel in wish.kernels() {
        for mode in [Mode::Plain, Mode::Systemd] {
            let group: Vec<Case> = cases.iter().filter(|case| case.mode == mode).cloned().collect();
            if !group.is_empty() {
                serve(&emulator, kernel, &group, &mut report)?;
            }
        }
    }
    rows::report_cases(report.verdicts())?;
    println!("{report}");
    Ok(report.is_clean())
}

/// One boot.
fn serve(emulator: &machine::Emulator, kernel: &Kernel, group: &[Case], report: &mut Report) -> Result<()> {
    let kernel = kernel.fetch()?;
    let image = match group[0].mode {
        Mode::Plain => None,
        Mode::Systemd => Some(system::image()?),
    };
    files::build()?;
    // From here on an interrupt is an event, so that it leaves neither a machine nor a file.
    let interrupt = Interrupt::listen()?;
    let scratch = Scratch::new("vm")?;
    let initrd = files::initrd(&scratch, &kernel, group)?;
    let empty = || Disk::empty(scratch.path().join("disk"));
    let disk = image.map_or_else(empty, |image| Ok(Disk::System(image)))?;
    let plan = machine::Plan { kernel: &kernel, initrd, disk, scratch: scratch.path() };
    boot::run(&mut emulator.command(&plan), &plan, group, (&interrupt, report))
}

/// Kernels and images are kept here until somebody removes the directory.
fn store() -> PathBuf {
    program::top().join("target/vm")
}

impl Wish {
    fn of(words: &[&str]) -> Result<Self> {
        let mut wish = Self::default();
        for word in words {
            match *word {
                "--all" => wish.all = true,
                "--quick" => wish.quick = true,
                name => match kernel::ALL.iter().find(|kernel| kernel.name == name) {
                    Some(kernel) => wish.kernels.push(kernel.name),
                    None if !name.starts_with('-') => wish.names.push(name.to_owned()),
                    None => bail!("cargo xtask vm [--all|--quick] [KERNEL…] [TEST…]"),
                },
            }
        }
        Ok(wish)
    }

    /// All of them, or those that were named, or the newest.
    fn kernels(&self) -> impl Iterator<Item = &'static Kernel> {
        let is_wanted = move |number: usize, kernel: &Kernel| {
            self.all || self.kernels.contains(&kernel.name) || (self.kernels.is_empty() && number == 0)
        };
        let all = kernel::ALL.iter().enumerate();
        all.filter(move |(number, kernel)| is_wanted(*number, kernel)).map(|(_, kernel)| kernel)
    }

    fn choose(&self, all: Vec<Case>) -> Result<Vec<Case>> {
        let named = |case: &Case| self.names.iter().any(|name| case.name.contains(name.as_str()));
        let wanted = |case: &Case| (self.names.is_empty() || named(case)) && (!self.quick || case.quick);
        let known: Vec<String> = all.iter().map(|case| case.name.clone()).collect();
        let chosen: Vec<Case> = all.into_iter().filter(wanted).collect();
        if chosen.is_empty() {
            bail!("no such case; there are: {}", known.join(", "));
        }
        Ok(chosen)
    }
}
