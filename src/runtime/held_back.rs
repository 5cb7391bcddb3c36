//! CPU time that a limit has refused. The kernel announces it to nobody, so it is read when somebody asks how vassals are,
//! and never else.

use std::fs::read_to_string;
use std::path::Path;

use crate::emperor::event::Incarnation;
use crate::emperor::snapshot::{Snapshot, VassalView};
use crate::spawner::leaf_number;

/// Adds it to what the vassals' other limits have done. `cgroup` is the one that all leaves are in, where there are limits.
pub(super) fn add(snapshot: &mut Snapshot, cgroup: Option<&Path>) {
    let Some(cgroup) = cgroup else { return };
    for view in snapshot.vassals.iter_mut().filter(|view| view.up) {
        let Some(sentence) = of(view, cgroup) else { continue };
        let both = view.strain.iter().map(ToString::to_string).chain([sentence]).collect::<Vec<_>>();
        view.strain = Some(both.join("; ").into());
    }
}

fn of(view: &VassalView, cgroup: &Path) -> Option<String> {
    let ticket = Incarnation { id: view.id, attempt: view.attempts }.into();
    let leaf = cgroup.join(leaf_number(ticket).to_string());
    let times = times(&read_to_string(leaf.join("cpu.stat")).ok()?)?;
    let limit = read_to_string(leaf.join("cpu.max")).ok()?;
    Some(sentence(times, limit.trim()))
}

/// How often it was, and for how many microseconds (`Documentation/admin-guide/cgroup-v2.rst`, `cpu.stat`).
fn times(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    let times = (field("nr_throttled ")?, field("throttled_usec ")?);
    (times.0 > 0).then_some(times)
}

fn sentence((count, microseconds): (u64, u64), limit: &str) -> String {
    let (seconds, rest) = (microseconds / 1_000_000, microseconds % 1_000_000 / 100_000);
    format!("short of CPU time: held back {count} times, {seconds}.{rest} s in all (cpu.max is {limit})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_held_back_is_told_of() {
        let text = "usage_usec 9\nnr_periods 5\nnr_throttled 3\nthrottled_usec 1234567\n";
        assert_eq!(times(text), Some((3, 1_234_567)));
        assert_eq!(times("nr_throttled 0\nthrottled_usec 0\n"), None);
        assert_eq!(times("usage_usec 9\n"), None);
        let told = sentence((3, 1_234_567), "50000 100000");
        assert_eq!(told, "short of CPU time: held back 3 times, 1.2 s in all (cpu.max is 50000 100000)");
    }
}
