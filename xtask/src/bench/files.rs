//! Tens of thousands of configs that appear at once: how steadily they are taken in, and what that does to the others.
//!
//! A process for each of them all the time would take more descriptors and process numbers than a machine gives as it
//! comes (20 000, 32 768). So each runs, every tenth stays, and the others end by the status that asks for no further start.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::court::{Court, Vassals};
use super::lab::Lab;
use super::proc;
use super::stamps::{Stamp, ms};
use super::table::Table;

const PATIENCE: Duration = Duration::from_secs(30);
const REST: Duration = Duration::from_millis(30);
/// So many tenants share them: by default one has room for a thousand.
const TENANTS: usize = 50;
const FIRST_TENANT: u32 = 2000;
/// The first of those who have one config each, created before, meanwhile or after.
const FIRST_GUEST: u32 = 3000;
/// Of these one stays.
const STAYS: usize = 10;
/// Vassals of another tenant's that are touched in turn: none of them more often than once a second.
const HEALTHY: usize = 40;
/// Samples between two looks at memory and descriptors.
const LOOK_EVERY: usize = 8;
const MEANWHILE: &str = "while they are taken in";

/// Reactions before, meanwhile and after, of vassals of another tenant's; starts each second; what the Emperor and its
/// spawner hold.
///
/// # Errors
/// A directory cannot be made, or somebody healthy does not start.
pub fn measure(lab: &Lab) -> Result<Vec<Table>> {
    let count = lab.rounds(50_000, 2_000);
    lab.stamps.drain();
    let court = Court::empty(lab, Vassals::Tenants, &[])?;
    let mut watch = Watch::new(lab, &court, count)?;
    let crowd = write(lab, count)?;
    watch.look_while("before", |_, round| round < lab.rounds(100, 5))?;
    thread::scope(|scope| {
        let (from, to) = (&crowd, court.directory());
        let moved = scope.spawn(move || appear(from, to));
        let taken_in = watch.look_while(MEANWHILE, |watch, _| watch.crowd.len() < count);
        moved.join().expect("whoever renames does not panic").and(taken_in)
    })?;
    lab.settle();
    watch.look_while("after", |_, round| round < lab.rounds(100, 5))?;
    Ok(watch.into_tables())
}

/// The configs, complete, in another directory of the same file system.
fn write(lab: &Lab, count: usize) -> Result<PathBuf> {
    let directory = lab.directory()?;
    for number in 0..count {
        let name = if number % STAYS == 0 { "stay" } else { "once" };
        let path = directory.join(format!("{name}{number}.ini"));
        fs::write(&path, "[uwsgi]\n")?;
        let owner = FIRST_TENANT + u32::try_from(number % TENANTS)?;
        chown(&path, Some(owner), Some(owner))?;
        fs::set_permissions(&path, Permissions::from_mode(0o644))?;
    }
    Ok(directory)
}

fn appear(from: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        fs::rename(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn is_of_the_crowd(name: &str) -> bool {
    name.starts_with("once") || name.starts_with("stay")
}

/// Who makes healthy vassals react, and hears everybody meanwhile: no program waits until it is heard.
struct Watch<'a> {
    lab: &'a Lab,
    court: &'a Court,
    /// The Emperor and its spawner.
    family: Vec<i32>,
    /// When each of the crowd ran.
    crowd: Vec<u64>,
    created: usize,
    starts: Table,
    create: Table,
    touch: Table,
    memory: Table,
    descriptors: Table,
}

impl<'a> Watch<'a> {
    fn new(lab: &'a Lab, court: &'a Court, count: usize) -> Result<Self> {
        let crowd = format!("{count} configs of {TENANTS} tenants appear (each runs, every tenth stays)");
        let mut watch = Self {
            lab,
            court,
            family: Vec::new(),
            crowd: Vec::new(),
            created: 0,
            starts: Table::new(format!("{crowd}: their starts"), "a second"),
            create: Table::new(format!("{crowd}: a new tenant's config created → program runs"), "ms"),
            touch: Table::new(format!("{crowd}: another's config touched → program reloads"), "ms"),
            memory: Table::new(format!("{crowd}: memory (PSS) of Emperor and spawner"), "MiB"),
            descriptors: Table::new(format!("{crowd}: descriptors of Emperor and spawner"), "number"),
        };
        for number in 0..HEALTHY {
            let name = format!("h{number}.ini");
            let before = court.create(&name, "[uwsgi]\n")?;
            watch.wait_for('s', &name, before)?;
        }
        watch.family = proc::family(court.pid(), &lab.stamp());
        Ok(watch)
    }

    /// Reactions under this name, as long as this says so.
    fn look_while(&mut self, row: &str, goes_on: impl Fn(&Self, usize) -> bool) -> Result<()> {
        let mut round = 0;
        let mut heard = (self.crowd.len(), Instant::now());
        while goes_on(self, round) {
            let reacted = self.react(row);
            reacted.with_context(|| format!("{row}, when {} of them had run", self.crowd.len()))?;
            if round % LOOK_EVERY == 0 {
                self.weigh(row);
            }
            if self.crowd.len() > heard.0 {
                heard = (self.crowd.len(), Instant::now());
            }
            let silent = row == MEANWHILE && heard.1.elapsed() > PATIENCE;
            anyhow::ensure!(!silent, "only {} of them ran", self.crowd.len());
            round += 1;
        }
        Ok(())
    }

    fn react(&mut self, row: &str) -> Result<()> {
        self.rest();
        let fresh = format!("c{}.ini", self.created);
        let owner = FIRST_GUEST + u32::try_from(self.created)?;
        let before = self.court.create_of(owner, &fresh, "[uwsgi]\n")?;
        let runs = self.wait_for('s', &fresh, before)?;
        self.create.add(row, ms(before, runs.at_ns));
        self.rest();
        let old = format!("h{}.ini", self.created % HEALTHY);
        let before = self.court.touch(&old)?;
        let reloads = self.wait_for('r', &old, before)?;
        self.touch.add(row, ms(before, reloads.at_ns));
        self.created += 1;
        Ok(())
    }

    fn weigh(&mut self, row: &str) {
        let kib: u64 = self.family.iter().map(|pid| proc::memory_kib(*pid, "Pss:")).sum();
        self.memory.add(row, kib as f64 / 1024.0);
        let open: usize = self.family.iter().map(|pid| proc::descriptors(*pid)).sum();
        self.descriptors.add(row, open as f64);
    }

    fn wait_for(&mut self, event: char, name: &str, since_ns: u64) -> Result<Stamp> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let stamp = self.hear(left).with_context(|| format!("`{event} {name}` did not come"))?;
            if stamp.event == event && stamp.name == name && stamp.at_ns >= since_ns {
                return Ok(stamp);
            }
        }
    }

    fn rest(&mut self) {
        let end = Instant::now() + REST;
        while self.hear(end.saturating_duration_since(Instant::now())).is_ok() {}
    }

    fn hear(&mut self, patience: Duration) -> Result<Stamp> {
        let stamp = self.lab.stamps.next(patience)?;
        if is_of_the_crowd(&stamp.name) {
            self.crowd.push(stamp.at_ns);
        }
        Ok(stamp)
    }

    /// Each fifth of the crowd has its row: a steady rate is the same in all of them.
    fn into_tables(mut self) -> Vec<Table> {
        self.crowd.sort_unstable();
        let fifth = self.crowd.len() / 5;
        for (number, ran) in self.crowd.chunks_exact(fifth).enumerate() {
            let seconds = ms(ran[0], ran[fifth - 1]) / 1000.0;
            self.starts.add(&format!("liege, fifth {} of 5", number + 1), (fifth - 1) as f64 / seconds);
        }
        vec![self.starts, self.create, self.touch, self.memory, self.descriptors]
    }
}
