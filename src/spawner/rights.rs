//! What the spawner gives up for itself before it makes anybody.

use anyhow::{Context, Result, anyhow};
use caps::CapSet;
use jail::Capabilities;

/// Vassals of an ordinary user share one: not the user's, in which his keys are.
///
/// # Errors
/// The quota of keys is used up.
pub fn own_keyring() -> Result<()> {
    let step = jail::Step::Set(jail::plan::Setting::Keyring);
    jail::run::perform(&step).map_err(|failure| anyhow!("cannot {}: {}", step.deed(), failure.cause()))
}

/// Held by this process alone: a program that it runs gets none of them by inheritance.
///
/// # Errors
/// A privilege that cannot be given up.
pub fn keep_only(kept: Capabilities) -> Result<()> {
    jail::run::shed(None, kept, kept)
        .map_err(|failure| anyhow!("cannot give up capabilities: {}", failure.cause()))?;
    caps::clear(None, CapSet::Ambient).context("cannot clear the ambient set")?;
    caps::clear(None, CapSet::Inheritable).context("cannot clear the inheritable set")
}
