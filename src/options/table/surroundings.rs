//! Pure. Options of what is around the programs of a vassal.

use super::super::spec::{Kind, OptionSpec};

pub(super) const SURROUNDINGS: &[OptionSpec] = &[
    OptionSpec::new(
        "ienv",
        Kind::Form("NAME=VALUE", "STAGE=live"),
        "Variable of the programs that the lines behind it see too, as $(NAME).",
    )
    .repeats(),
    OptionSpec::new(
        "early-envdir",
        Kind::Path,
        "The same for all variables in a directory, as envdir has them; it is read while the config is.",
    )
    .repeats(),
    OptionSpec::new(
        "envdir",
        Kind::Path,
        "Directory of variables, read after the asap phase: each file is one, its first line is the value; an empty file takes the variable away.",
    )
    .repeats(),
    OptionSpec::new(
        "file-write",
        Kind::Form("FILE=TEXT", "/run/x=1"),
        "File that holds this line, written after the in-jail phase.",
    )
    .repeats(),
    OptionSpec::new("flock", Kind::Path, "File that is locked before anything else; the vassal ends when another process has it.")
        .repeats(),
    OptionSpec::new("flock-wait", Kind::Path, "The same; the vassal waits for it.").repeats(),
    OptionSpec::new("flock2", Kind::Path, "The same as flock, after the asap phase.").repeats(),
    OptionSpec::new("flock-wait2", Kind::Path, "The same as flock-wait, after the asap phase.").repeats(),
    OptionSpec::new("binsh", Kind::Path, "Shell of the programs of phases; the first one that is there is used.")
        .repeats()
        .default("/bin/sh"),
];
