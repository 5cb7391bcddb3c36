//! What is shipped, each file at its place below `bin`, `lib`, `share` and `etc`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::program;

/// What the program prints: the words, and the file.
const PRINTED: [(&[&str], &str); 4] = [
    (&["man"], "share/man/man1/liege.1"),
    (&["completions", "bash"], "share/bash-completion/completions/liege"),
    (&["completions", "zsh"], "share/zsh/vendor-completions/_liege"),
    (&["completions", "fish"], "share/fish/vendor_completions.d/liege.fish"),
];

/// What lies in the sources: the file, and its place.
const COPIED: [(&str, &str); 10] = [
    ("packaging/liege.service", "lib/systemd/system/liege.service"),
    ("packaging/liege.sysusers", "lib/sysusers.d/liege.conf"),
    ("packaging/liege.tmpfiles", "lib/tmpfiles.d/liege.conf"),
    ("packaging/liege.apparmor", "share/liege/apparmor"),
    ("packaging/emperor.ini", "etc/emperor.ini"),
    ("packaging/vassals.README", "etc/vassals/README"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("README.md", "share/doc/liege/README.md"),
    ("SECURITY.md", "share/doc/liege/SECURITY.md"),
];

/// The tree of this program, made anew below `store`.
///
/// # Errors
/// A file is not there, or the program does not run here.
pub fn lay_out(built: &Path, store: &Path) -> Result<PathBuf> {
    let tree = store.join("tree");
    let _ = fs::remove_dir_all(&tree);
    let program = tree.join("bin/liege");
    copy(built, &program)?;
    program::run(Command::new("strip").arg(&program))?;
    for (words, place) in PRINTED {
        let file = File::create(prepare(&tree.join(place))?)?;
        program::run(Command::new(&program).args(words).stdout(file))?;
    }
    for (source, place) in COPIED {
        copy(&program::top().join(source), &tree.join(place))?;
    }
    pages(&tree.join("share/doc/liege/docs"))?;
    Ok(tree)
}

/// The pages that the README leads to.
fn pages(to: &Path) -> Result<()> {
    for entry in fs::read_dir(program::top().join("docs"))? {
        let page = entry?.path();
        if page.extension().is_some_and(|extension| extension == "md") {
            copy(&page, &to.join(page.file_name().context("a page has a name")?))?;
        }
    }
    Ok(())
}

/// Copies a file, and makes the directories above its place.
///
/// # Errors
/// One of both files.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, prepare(to)?).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

fn prepare(file: &Path) -> Result<&Path> {
    let above = file.parent().context("a place has a directory")?;
    fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    Ok(file)
}
