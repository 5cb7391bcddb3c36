//! The machine to try it out on: is the `Vagrantfile` one? No box, no plugin and no network are needed for that.

use std::process::Command;

use crate::program;
use crate::scratch::Scratch;

use super::score::Score;

/// Checks it, where vagrant is installed.
pub fn check(score: &mut Score) {
    if program::find("vagrant").is_none() {
        return score.skip("Vagrantfile", "vagrant is not installed and cannot be");
    }
    score.check("Vagrantfile", validate());
}

fn validate() -> anyhow::Result<()> {
    // What it keeps of each machine and of its user goes away again.
    let scratch = Scratch::new("vagrant")?;
    let mut vagrant = Command::new("vagrant");
    vagrant.current_dir(program::top()).env("VAGRANT_DOTFILE_PATH", scratch.path().join("machine"));
    vagrant.env("VAGRANT_HOME", scratch.path()).env("VAGRANT_CHECKPOINT_DISABLE", "1");
    program::output(vagrant.args(["validate", "--ignore-provider"])).map(|_| ())
}
