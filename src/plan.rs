//! `liege plan FILE`: the ordered steps of a vassal's jail; nothing is started.

use std::fmt::Write as _;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use jail::{Capabilities, Namespaces, Phase};
use rustix::fs::{Mode, OFlags};

use crate::cli::world::{Opened, Surroundings};
use crate::config::emperor::EmperorConfig;
use crate::config::hook::Errand;
use crate::config::load;
use crate::config::place::{COMMAND_LINE, ConfigError, Entry, Place, Texts};
use crate::config::vassal::VassalKind;
use crate::spawner::birth::{self, Lent, Subject};
use crate::spawner::charter::{Charter, VassalProgram};
use crate::spawner::jailing::{self, Inside, Scenery};
use crate::spawner::{fitness, lend, limits_of, magic, owners};
use crate::subids::{Subids, keep_apart};
use crate::trust::{self, Examined, Reach, Trust};
use crate::vassal::confine::Around;
use crate::vassal::phases::{self, Facts};
use crate::vassal::reactions::Reactions;
use crate::vassal::step::Step;

/// Descriptors that a plan shows, where a spawner would have real ones.
const SHOWN: Lent = Lent {
    null: 0,
    control: birth::CONTROL_FD,
    config: birth::CONFIG_FD,
    directory: 5,
    executable: 6,
    before_drop: 7,
    as_vassal: 8,
    awaited: None,
    listener: None,
    outside: None,
};

/// The steps that make the process of this vassal, and those that it takes itself.
///
/// # Errors
/// Why it would not run.
pub fn plan(config: &EmperorConfig, file: &Path) -> Result<String> {
    let charter = crate::runtime::plan_for(config)?;
    let name = file.file_name().and_then(|name| name.to_str()).context("the file has no name")?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let directory =
        rustix::fs::open(parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
            .with_context(|| format!("cannot open {}", parent.display()))?;
    let examined = match trust::examine(directory.as_fd(), name, &lend::policy(&charter), Reach::Anywhere) {
        Ok(examined) => examined,
        Err(refusal) => bail!("{}: refused: {}", file.display(), refusal.reason()),
    };
    if let Some(unfit) = fitness::unfit(&charter, examined.trust) {
        bail!("{}", unfit.sentence());
    }
    let first = jail::plan::plan(&birth::spec(&charter, &subject(&charter, (parent, name), &examined)?));
    let second = second(&charter, &examined, file)?;
    let before = around("before any vassal", charter.of_phase(Phase::EmperorStart));
    let follows = charter.of_phase(Phase::AsEmperor).chain(charter.of_phase(Phase::AsEmperorSetns));
    let after = around("by the spawner, once its program runs", follows);
    let gone = around("and once it is gone", charter.stop_hook.iter());
    let waits = around("each time it waits for a connection", charter.of_phase(Phase::AsOnDemandVassal));
    let news = around("when its config changes meanwhile", charter.of_phase(Phase::AsOnConfigVassal));
    let rest = [after, waits, news, gone].concat();
    let leaf = leaf(&charter, name, charter.owner_of(examined.trust, owners::own_ids()).uid)?;
    Ok(format!("{before}{}: made by the spawner{leaf}\n{first}\n{second}{rest}", file.display()))
}

/// The cgroup that it is born into.
fn leaf(charter: &Charter, name: &str, uid: u32) -> Result<String> {
    if !charter.needs_leaf() {
        return Ok(String::new());
    }
    let knobs = limits_of(charter, name, uid).map_err(|sentence| anyhow!(sentence))?;
    let limits: String = knobs.iter().map(|knob| format!(", {}", knob.option)).collect();
    Ok(format!(" in a cgroup of its own{limits}"))
}

/// What the administrator has done beside the steps of a vassal.
fn around<'a>(when: &str, errands: impl Iterator<Item = &'a Errand>) -> String {
    let line = |errand: &Errand| format!("do {} ({})\n", errand.named(), errand.failure());
    let lines: String = errands.map(line).collect();
    if lines.is_empty() { lines } else { format!("{when}\n{lines}") }
}

fn subject<'a>(
    charter: &Charter,
    (parent, name): (&Path, &'a str),
    examined: &Examined,
) -> Result<Subject<'a>> {
    let groups = owners::groups(charter, examined.owner.uid);
    let own = owners::own_ids();
    keep_apart(charter.id_ranges.rules(), charter.owner_of(examined.trust, own))
        .map_err(|sentence| anyhow!(sentence))?;
    let ranges = birth::ranges_of(charter, examined.trust, own)
        .map(|owner| Subids::look(&charter.id_ranges).of(owner));
    let ranges = ranges.transpose().map_err(|sentence| anyhow!(sentence))?.unwrap_or_default();
    let waits = charter.of_phase(Phase::AsEmperorBeforeVassal).next().is_some();
    let outside = charter.lends_network(examined.trust).then_some(10);
    let lent = Lent { awaited: waits.then_some(9), outside, ..SHOWN };
    Ok(Subject {
        file: name,
        is_program: magic::is_program(charter, examined.file.as_fd(), examined.trust),
        name,
        zerg: None,
        place: "",
        trust: examined.trust,
        groups,
        own,
        ranges,
        lent,
        network: None,
        scenery: Scenery { path: Some(parent.into()), backdrop: charter.privileged, ..Scenery::default() },
    })
}

/// What the vassal does itself, as whoever it was made.
fn second(charter: &Charter, examined: &Examined, file: &Path) -> Result<String> {
    match &charter.program {
        VassalProgram::Own if magic::is_program(charter, examined.file.as_fd(), examined.trust) => {
            return Ok("then the vassal runs the file, and does what the config says that it prints\n".into());
        }
        VassalProgram::Own => {}
        VassalProgram::Path(program) => return Ok(format!("then {program} does the rest\n")),
        VassalProgram::First(..) => {
            return Ok("then the first of them that can be run does the rest\n".into());
        }
    }
    match kind(examined, file).map_err(|errors| told(&errors))? {
        VassalKind::Uwsgi(option) => Ok(format!("then uwsgi does the rest, because of `{option}`\n")),
        VassalKind::Own(config) => {
            let steps = phases::plan(&config, &facts(charter, examined)).map_err(|errors| told(&errors))?;
            let mut text = String::from("then by the vassal itself\n");
            list(&mut text, &steps);
            let after = phases::at_exit(&config);
            if !after.is_empty() {
                text.push_str("and once its command has ended\n");
                list(&mut text, &after);
            }
            for (when, steps) in Reactions::of(&config).listed() {
                let _ = writeln!(text, "{when}");
                list(&mut text, steps);
            }
            Ok(text)
        }
    }
}

fn list(text: &mut String, steps: &[Step]) {
    for (number, step) in steps.iter().enumerate() {
        let failure = step.failure().map(|failure| format!(" ({failure})")).unwrap_or_default();
        let _ = writeln!(text, "step {}: {step}{failure}", number + 1);
    }
}

/// Reads what was judged, not what the name leads to by now.
fn kind(examined: &Examined, file: &Path) -> Result<VassalKind, Vec<ConfigError>> {
    let name = file.to_string_lossy().into_owned();
    let place = Place { file: COMMAND_LINE.into(), line: 1, column: 1 };
    let entry = Entry { key: "include".into(), value: name.clone(), value_place: place.clone(), place };
    let open = examined.file.try_clone().map(File::from).ok();
    let world = Opened::new(Surroundings::onlooker(), &name, open.as_ref());
    load(vec![entry], Texts::default(), &world).vassal()
}

fn facts(charter: &Charter, examined: &Examined) -> Facts {
    let tenant = charter.privileged && matches!(examined.trust, Trust::Tenant(_));
    let namespaces = charter.namespaces_of(examined.trust);
    let inside = charter.inside(examined.trust);
    let root = matches!(inside, Inside::Root(_))
        || (inside == Inside::Host && charter.privileged && !tenant && charter.identity.is_none());
    let owner = charter.owner_of(examined.trust, owners::own_ids());
    Facts {
        root,
        jailed: !namespaces.is_empty(),
        own_mounts: namespaces.has(Namespaces::FS),
        own_hostname: namespaces.has(Namespaces::UTS),
        born: namespaces,
        emperor: true,
        permitted: if root { born_with(charter, inside) } else { Capabilities::NONE },
        owner: (inside == Inside::Root(true)).then_some((owner.uid, owner.gid)),
        whole: charter.jail.is_some(),
        outside: charter.lends_network(examined.trust),
        around: Around::of(birth::filter_word(charter, examined.trust).as_deref(), namespaces),
    }
}

/// What root is left with when our master begins.
fn born_with(charter: &Charter, inside: Inside) -> Capabilities {
    match inside {
        Inside::Host => charter.vassal_capabilities.unwrap_or(Capabilities::all()),
        Inside::Root(_) | Inside::Owner => jailing::kept(charter, inside),
    }
}

fn told(errors: &[ConfigError]) -> anyhow::Error {
    anyhow!(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}
