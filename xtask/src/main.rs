//! What CI does, a person can type: `cargo xtask test`.

fn main() {}
