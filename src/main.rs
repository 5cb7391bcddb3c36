//! A Linux process host: picks the role of this process.

mod cli;
mod config;
mod emperor;
mod names;
mod options;
mod trust;
mod vassal;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::Verb;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    match cli::parse(&arguments, &environment) {
        Ok(invocation) if invocation.verb == Verb::Vassal => vassal::main(arguments),
        Ok(_) => ExitCode::SUCCESS,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            ExitCode::from(cli::exit_code(&errors))
        }
    }
}
