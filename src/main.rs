//! A Linux process host: picks the role of this process.

mod config;
mod control;
mod emperor;
mod log;
mod monitors;
mod names;
mod runtime;
mod spawner;
mod stats;
mod trust;

/// What this process may do.
fn permitted() -> jail::Capabilities {
    let set = caps::read(None, caps::CapSet::Permitted).unwrap_or_default();
    jail::Capabilities::of(&set.into_iter().collect::<Vec<_>>())
}

fn main() {}
