//! Tools of cargo, built once into the user's cache, which survives `cargo clean`.

use std::env;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::program;

/// The program of this name and version.
///
/// # Errors
/// It cannot be built.
pub fn find_or_install(name: &str, version: &str) -> Result<PathBuf> {
    let root = cache()?.join(format!("{name}-{version}"));
    let tool = root.join("bin").join(name);
    if !tool.is_file() {
        println!("xtask: building {name} {version}, once");
        let mut install = program::cargo();
        // Away from our own `.cargo/config.toml`: its static build is for programs of ours.
        install.current_dir("/").args(["install", "--quiet", "--locked", "--root"]).arg(&root);
        program::run(install.arg(format!("{name}@{version}")))?;
    }
    Ok(tool)
}

fn cache() -> Result<PathBuf> {
    let home = || env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    Ok(base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("liege-xtask"))
}
