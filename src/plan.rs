//! `liege plan FILE`: the ordered steps of a vassal's jail; nothing is started.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Result, anyhow};
use jail::Phase;

use crate::config::emperor::EmperorConfig;
use crate::config::hook::Errand;
use crate::config::place::ConfigError;
use crate::prospect::{Life, foresee};
use crate::spawner::charter::{Charter, VassalProgram};
use crate::vassal::phases;
use crate::vassal::reactions::Reactions;
use crate::vassal::step::Step;

/// The steps that make the process of this vassal, and those that it takes itself.
///
/// # Errors
/// Why it would not run.
pub fn plan(config: &EmperorConfig, file: &Path) -> Result<String> {
    let charter = crate::runtime::plan_for(config)?;
    let prospect = foresee(&charter, file).map_err(|errors| told(&errors))?;
    let before = around("before any vassal", charter.of_phase(Phase::EmperorStart));
    let leaf = leaf(prospect.leaf.as_deref());
    let ways = ways(&charter);
    let (first, second) = (&prospect.birth, second(&prospect.life));
    Ok(format!(
        "{before}{}: made by the spawner{leaf}{ways}\n{first}\n{second}{}",
        file.display(),
        rest(&charter)
    ))
}

/// The cgroup that it is born into.
fn leaf(limits: Option<&[String]>) -> String {
    let Some(limits) = limits else { return String::new() };
    let limits: String = limits.iter().map(|option| format!(", {option}")).collect();
    format!(" in a cgroup of its own{limits}")
}

/// The routers that it is lent ways to; a program of others would not know what they are.
fn ways(charter: &Charter) -> String {
    let lent = charter.routers.iter().filter(|_| charter.program == VassalProgram::Own);
    lent.map(|router| format!(", with a way to router {} on {}", router.device, router.socket.path)).collect()
}

/// What is done about it later.
fn rest(charter: &Charter) -> String {
    let follows = charter.of_phase(Phase::AsEmperor).chain(charter.of_phase(Phase::AsEmperorSetns));
    let after = around("by the spawner, once its program runs", follows);
    let waits = around("each time it waits for a connection", charter.of_phase(Phase::AsOnDemandVassal));
    let news = around("when its config changes meanwhile", charter.of_phase(Phase::AsOnConfigVassal));
    let gone = around("and once it is gone", charter.stop_hook.iter());
    [after, waits, news, gone].concat()
}

/// What the administrator has done beside the steps of a vassal.
fn around<'a>(when: &str, errands: impl Iterator<Item = &'a Errand>) -> String {
    let line = |errand: &Errand| format!("do {} ({})\n", errand.named(), errand.failure());
    let lines: String = errands.map(line).collect();
    if lines.is_empty() { lines } else { format!("{when}\n{lines}") }
}

fn second(life: &Life) -> String {
    let (config, steps) = match life {
        Life::Printed => {
            return "then the vassal runs the file, and does what the config says that it prints\n".into();
        }
        Life::Program(program) => return format!("then {program} does the rest\n"),
        Life::FirstOf => return "then the first of them that can be run does the rest\n".into(),
        Life::Uwsgi(option) => return format!("then uwsgi does the rest, because of `{option}`\n"),
        Life::Own(config, steps) => (config, steps),
    };
    let mut text = String::from("then by the vassal itself\n");
    list(&mut text, steps);
    let after = phases::at_exit(config);
    if !after.is_empty() {
        text.push_str("and once its command has ended\n");
        list(&mut text, &after);
    }
    for (when, steps) in Reactions::of(config).listed() {
        let _ = writeln!(text, "{when}");
        list(&mut text, steps);
    }
    text
}

fn list(text: &mut String, steps: &[Step]) {
    for (number, step) in steps.iter().enumerate() {
        let failure = step.failure().map(|failure| format!(" ({failure})")).unwrap_or_default();
        let _ = writeln!(text, "step {}: {step}{failure}", number + 1);
    }
}

fn told(errors: &[ConfigError]) -> anyhow::Error {
    anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
