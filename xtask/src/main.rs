//! What CI does, a person can type: `cargo xtask test`, `vm`, `bench`, `fuzz` and `dist`.

mod bench;
mod dist;
mod fuzz;
mod program;
mod scratch;
mod test;
mod tool;
mod vm;

use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask test                      everything that CI checks; installs what the tests need
cargo xtask vm [--all|--quick] [KERNEL…] [TEST…]
                                      tests-vm/ on a real kernel, as root of an emulated machine; --all: on every kernel
cargo xtask bench [NAME…] [--quick] [--json]
                                      measures; NAME: spawn, namespaces, peers, cold, latency, network, idle (default: all)
cargo xtask fuzz [SECONDS|--quick]    feeds the parsers that read what tenants write (default: 300 s)
cargo xtask dist                      a static program as a tarball and as a Debian package, in target/dist";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test"] => test::run(),
        ["vm", rest @ ..] => vm::run(rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["dist"] => dist::run(),
        ["bench", rest @ ..] => bench::run(rest),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
