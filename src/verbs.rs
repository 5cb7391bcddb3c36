//! Does what was typed.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow};

use crate::cli::world::Surroundings;
use crate::cli::{self, Invocation, Verb, VerbSpec};
use crate::config::emperor::EmperorConfig;
use crate::config::place::ConfigError;
use crate::config::vassal::Address;
use crate::config::{self, Loaded};
use crate::control::wish::{Deed, OWNER, USER, Wish};
use crate::control::{Called, Looking, Manner, Named, Prompt, Target};
use crate::names::User;
use crate::{HAS_EMPEROR, control, doctor, ended, inspect, log, plan, runtime};

/// Exit status when a word of the command line is wrong.
const USAGE: u8 = 2;
/// Longer nobody waits at a key.
const HASTE: Duration = Duration::from_secs(1);
/// Exit status of `status` when there is nobody to tell it of.
const UNKNOWN: u8 = 4;

/// Carries out a command line (without the name of the program).
pub fn main(arguments: Vec<OsString>) -> ExitCode {
    let environment: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    match cli::parse(&arguments, &environment) {
        Ok(invocation) => carry_out(invocation),
        Err(errors) => refuse(&errors),
    }
}

fn carry_out(invocation: Invocation) -> ExitCode {
    match invocation.verb {
        Verb::Run | Verb::Vassal => run(invocation),
        Verb::Plan => shown(plan_of(invocation)),
        Verb::Check => check(&invocation),
        Verb::ShowConfig => show_config(invocation),
        Verb::Status => status(&invocation),
        Verb::Why => why(&invocation),
        Verb::Events => events(&invocation),
        Verb::Start => steer(&invocation, Deed::Start),
        Verb::Stop => steer(&invocation, Deed::Stop),
        Verb::Restart => steer(&invocation, Deed::Restart),
        Verb::Reload => steer(&invocation, Deed::Reload),
        Verb::Disable => steer(&invocation, Deed::Disable),
        Verb::Enable => steer(&invocation, Deed::Enable),
        Verb::Tail => tail(&invocation),
        Verb::Signal => status_of(signal(&invocation)),
        Verb::Update => status_of(update(&invocation)),
        Verb::Shutdown => status_of(named(&invocation).and_then(|one| control::shutdown(&one))),
        Verb::Control => status_of(prompt(&invocation)),
        Verb::Net => net(&invocation),
        Verb::Attach => status_of(attach(&invocation)),
        Verb::Exec => status_of(called(&invocation).and_then(|one| control::exec(&one))),
        Verb::Doctor => doctor(invocation.json),
        Verb::Completions => printed(|out| cli::completions(operand(&invocation), out)),
        Verb::Names => names(&invocation),
        Verb::Man => printed(|out| cli::man(out)),
        Verb::Options => printed(|out| out.write_all(cli::markdown().as_bytes())),
        Verb::Help => printed(|out| out.write_all(help(&invocation).as_bytes())),
        Verb::Version => printed(|out| out.write_all(cli::version().as_bytes())),
    }
}

/// An Emperor if a source was given, else a vassal.
fn run(invocation: Invocation) -> ExitCode {
    if let Some(asked) = control::PtyAsked::of(&invocation.entries) {
        return status_of(control::pty(&asked));
    }
    if invocation.verb == Verb::Vassal || std::env::var_os(HAS_EMPEROR).is_some() {
        return vassal(None);
    }
    let (entries, texts) = (invocation.entries, invocation.texts);
    if entries.is_empty() {
        return printed(|out| out.write_all(cli::help().as_bytes()));
    }
    let loaded = config::load_once(entries, texts, &Surroundings::onlooker(), Surroundings::named);
    if !loaded.entries.iter().any(|entry| entry.key == "emperor") {
        return without_emperor(loaded);
    }
    let outcome = config_of(&loaded);
    if let Some(status) = loaded.exit.filter(|_| loaded.errors.is_empty()) {
        return ExitCode::from(status);
    }
    match outcome {
        Ok(config) => ended("emperor", runtime::main(&config)),
        Err(errors) => fall_back(&loaded, &errors),
    }
}

/// A config without `emperor` is a vassal's, run in the foreground.
fn without_emperor(loaded: Loaded) -> ExitCode {
    let says_nothing = loaded.entries.is_empty() && loaded.said.is_empty() && loaded.exit.is_none();
    let unmeant = loaded.advice();
    if says_nothing && loaded.errors.is_empty() && !unmeant.is_empty() {
        return refuse(&unmeant);
    }
    vassal(Some(loaded))
}

fn vassal(loaded: Option<Loaded>) -> ExitCode {
    crate::vassal::main(std::env::args_os().skip(1).collect(), loaded)
}

fn load(invocation: Invocation) -> Loaded {
    config::load(invocation.entries, invocation.texts, &Surroundings::named())
}

fn config_of(loaded: &Loaded) -> Result<EmperorConfig, Vec<ConfigError>> {
    for warning in loaded.advice() {
        log::warn("config", &warning.to_string());
    }
    for said in &loaded.said {
        log::info("config", &said.value);
    }
    loaded.emperor()
}

/// Tells what is wrong; then goes on with the other config that was named for this case.
fn fall_back(loaded: &Loaded, errors: &[ConfigError]) -> ExitCode {
    let status = refuse(errors);
    let Some(file) = &loaded.fallback else { return status };
    log::warn("config", &format!("going on with {}", config::quoted(file)));
    if let Some(error) = crate::fallback::take_over(file, None) {
        log::error("config", &format!("cannot start again with {}: {error}", config::quoted(file)));
    }
    status
}

fn plan_of(invocation: Invocation) -> Result<String> {
    let file = operand(&invocation).to_owned();
    let loaded = load(invocation);
    let config = loaded.emperor_settings().map_err(|errors| anyhow!(listed(&errors)))?;
    plan::plan(&config, Path::new(&file))
}

fn check(invocation: &Invocation) -> ExitCode {
    let names: Vec<String> = invocation.operands.iter().map(|operand| operand.value.clone()).collect();
    let report = inspect::inspect(&names);
    let said = printed(|out| match invocation.json {
        true => writeln!(out, "{:#}", report.json()),
        false => write!(out, "{report}"),
    });
    if report.exit_code() == 0 { said } else { ExitCode::from(report.exit_code()) }
}

fn show_config(invocation: Invocation) -> ExitCode {
    match inspect::effective(invocation) {
        Ok(text) => printed(|out| out.write_all(text.as_bytes())),
        Err(errors) => refuse(&errors),
    }
}

fn target(invocation: &Invocation) -> Result<Target> {
    Target::of(invocation.operands.iter().map(|operand| operand.value.as_str()))
}

fn called(invocation: &Invocation) -> Result<Called> {
    Called::of(invocation.operands.iter().map(|operand| operand.value.as_str()))
}

fn signal(invocation: &Invocation) -> Result<u8> {
    let mut named = named(invocation)?;
    let word = if named.names.is_empty() { String::new() } else { named.names.remove(0) };
    let Some(number) = control::signal(&word) else {
        log::print(&format!("liege: {} is no signal; HUP, USR1 and 15 are\n", config::quoted(&word)));
        return Ok(USAGE);
    };
    steer_named(invocation, Deed::Signal(number), named)
}

fn status(invocation: &Invocation) -> ExitCode {
    match target(invocation).and_then(|one| control::status(&one, invocation.json)) {
        Ok((text, 0)) => shown(Ok(text)),
        Ok((text, status)) => {
            shown(Ok(text));
            ExitCode::from(status)
        }
        Err(error) => {
            shown(Err(error));
            ExitCode::from(UNKNOWN)
        }
    }
}

fn why(invocation: &Invocation) -> ExitCode {
    match target(invocation).and_then(|one| control::why(&one)) {
        Ok((text, is_unknown)) if is_unknown => {
            shown(Ok(text));
            ExitCode::FAILURE
        }
        outcome => shown(outcome.map(|(text, _)| text)),
    }
}

/// Verbs that ask an Emperor, but this one.
fn prompt(invocation: &Invocation) -> Result<u8> {
    let asks = |one: &&VerbSpec| one.operands.starts_with("[ADDRESS]") && one.verb != Verb::Control;
    let verbs = VerbSpec::shown().filter(asks).map(|one| (one.name, one.operands)).collect();
    let address = invocation.operands.first().map(|operand| operand.value.as_str());
    let named = named(invocation)?;
    if let Some(word) = named.names.first() {
        log::print(&format!("liege: {} is no address of an Emperor\n", config::quoted(word)));
        return Ok(USAGE);
    }
    if matches!(named.address, Some(Address::Unix(_) | Address::Abstract(_))) {
        control::reach(named.address.as_ref())?;
    }
    Prompt { address, verbs }.run()
}

/// For a shell: whoever cannot be asked has no names.
fn names(invocation: &Invocation) -> ExitCode {
    let known = named(invocation).and_then(|one| control::names(one.address.as_ref(), Some(HASTE)));
    printed(|out| {
        known
            .unwrap_or_default()
            .iter()
            .filter(|name| cli::is_one_line(name))
            .try_for_each(|name| writeln!(out, "{name}"))
    })
}

fn update(invocation: &Invocation) -> Result<u8> {
    control::update(&named(invocation)?, invocation.json, &mut io::stdout().lock())
}

fn steer(invocation: &Invocation, deed: Deed) -> ExitCode {
    status_of(named(invocation).and_then(|named| steer_named(invocation, deed, named)))
}

fn steer_named(invocation: &Invocation, deed: Deed, Named { address, names }: Named) -> Result<u8> {
    if names.is_empty() {
        let spec = invocation.verb.spec();
        log::print(&format!("liege: no vassal is named; write: liege {} {}\n", spec.name, spec.operands));
        return Ok(USAGE);
    }
    let hasty = invocation.flags.contains(&"no-wait");
    let manner = Manner { json: invocation.json, hasty };
    let names = match deed {
        Deed::Disable | Deed::Enable => names.into_iter().map(owner).collect::<Result<Vec<String>>>()?,
        _ => names,
    };
    control::steer(address.as_ref(), &Wish { deed, names }, manner, &mut io::stdout().lock())
}

/// `user=alice` is that user's `uid=`; any other word is as it was.
fn owner(word: String) -> Result<String> {
    let Some(name) = word.strip_prefix(USER) else { return Ok(word) };
    match User::by_name(name) {
        Some(user) => Ok(format!("{OWNER}{}", user.uid)),
        // The whole name of a config that is called so.
        None if name.contains('.') => Ok(word),
        None => Err(anyhow!("there is no user `{name}`")),
    }
}

fn named(invocation: &Invocation) -> Result<Named> {
    Named::of(invocation.operands.iter().map(|operand| operand.value.as_str()))
}

fn attach(invocation: &Invocation) -> Result<u8> {
    let has = |flag: &str| invocation.flags.contains(&flag);
    if has("ssh") {
        return control::login(called(invocation)?);
    }
    let looking = if has("again") { Looking::Again } else { Looking::First };
    control::attach(&called(invocation)?, looking, has("no-escape"))
}

fn status_of(outcome: Result<u8>) -> ExitCode {
    outcome.map_or_else(|error| shown(Err(error)), ExitCode::from)
}

fn events(invocation: &Invocation) -> ExitCode {
    match target(invocation) {
        Ok(target) => printed(|out| control::events(&target, invocation, out)),
        Err(error) => shown(Err(error)),
    }
}

fn tail(invocation: &Invocation) -> ExitCode {
    match called(invocation) {
        Ok(called) if !called.command.is_empty() => {
            let extra = config::quoted(&called.command[0]);
            log::print(&format!("liege: `tail` does not take {extra}: it takes one vassal or daemon\n"));
            ExitCode::from(USAGE)
        }
        Ok(called) => printed(|out| control::tail(&called, invocation, out)),
        Err(error) => shown(Err(error)),
    }
}

fn net(invocation: &Invocation) -> ExitCode {
    let words: Vec<&str> = invocation.operands.iter().map(|operand| operand.value.as_str()).collect();
    match control::NetAsked::parse(&words) {
        Ok(asked) => shown(control::net(&asked, invocation.json)),
        Err(wrong) => {
            log::print(&format!("liege: {wrong}\n"));
            ExitCode::from(USAGE)
        }
    }
}

fn doctor(json: bool) -> ExitCode {
    let report = doctor::examine();
    let said = printed(|out| match json {
        true => writeln!(out, "{:#}", report.json()),
        false => write!(out, "{report}"),
    });
    if report.is_fine() { said } else { ExitCode::FAILURE }
}

fn help(invocation: &Invocation) -> String {
    Verb::named(operand(invocation)).map_or_else(cli::help, |verb| cli::help_of(verb.spec()))
}

fn operand(invocation: &Invocation) -> &str {
    invocation.operands.first().map_or("", |operand| &operand.value)
}

fn shown(outcome: Result<String>) -> ExitCode {
    match outcome {
        Ok(text) => printed(|out| out.write_all(text.as_bytes())),
        Err(error) => {
            log::print(&format!("liege: {error:#}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Text on standard output; whoever closes it early wants no more of it.
fn printed(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> ExitCode {
    let mut out = io::stdout().lock();
    let outcome = write(&mut out).and_then(|()| out.flush());
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            log::print(&format!("liege: {error}\n"));
            ExitCode::from(USAGE)
        }
        // What it says is the whole of it.
        Err(error) if error.kind() == io::ErrorKind::Other => shown(Err(error.into())),
        Err(error) => shown(Err(error).context("cannot print")),
    }
}

fn refuse(errors: &[ConfigError]) -> ExitCode {
    log::print(&format!("{}\n", listed(errors)));
    ExitCode::from(cli::exit_code(errors))
}

fn listed(errors: &[ConfigError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
