//! Pure. `emperor-limits`: the limits of single vassals, in a file of the administrator.

use std::collections::BTreeMap;
use std::sync::Arc;

use glob::Pattern;
use jail::plan::Knob;

use super::resources;
use crate::config::format::{decode, parse_all};
use crate::config::place::{ConfigError, Entry, Placed, Texts};
use crate::config::show::quoted;

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitsFile {
    sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Section {
    whose: Whose,
    knobs: Vec<Knob>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whose {
    Named(Pattern),
    User(u32),
}

/// A section is for all vassals of this user, if it begins so.
const USER: &str = "uid=";

impl LimitsFile {
    /// Reads the file; `uid_of` finds a user by name.
    ///
    /// # Errors
    /// All that is wrong, each with its line.
    pub fn parse(
        file: &Arc<str>,
        bytes: &[u8],
        uid_of: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<Self, Vec<ConfigError>> {
        let text = decode(file, bytes).map_err(|error| vec![error])?;
        let (titled, mut errors) = parse_all(file, text);
        let mut sections = Vec::new();
        for one in titled {
            let whose = whose(&one.title, uid_of).map_err(|error| errors.push(error));
            let mut knobs = Vec::new();
            let lines = one.lines.into_iter().map(|line| Entry {
                key: line.key,
                value: line.value,
                place: line.place,
                value_place: line.value_place,
            });
            errors.extend(lines.filter_map(|entry| apply(&mut knobs, &entry).err()));
            sections.extend(whose.map(|whose| Section { whose, knobs }));
        }
        let mut texts = Texts::default();
        texts.insert(file, text);
        if errors.is_empty() { Ok(Self { sections }) } else { Err(texts.explain(errors)) }
    }

    /// The limits of one vassal. Of each limit the first section that is for it and has that limit counts, at last
    /// what is everybody's.
    pub fn of(&self, vassal: &str, uid: u32, everybodys: &[Knob]) -> Vec<Knob> {
        let fits = |section: &&Section| match &section.whose {
            Whose::Named(pattern) => pattern.matches(vassal),
            Whose::User(user) => *user == uid,
        };
        let own = self.sections.iter().filter(fits).flat_map(|section| &section.knobs);
        let mut knobs: Vec<Knob> = Vec::new();
        for knob in own.chain(everybodys) {
            if !knobs.iter().any(|old| is_same(old, knob)) {
                knobs.push(knob.clone());
            }
        }
        knobs
    }

    /// Every limit of the file.
    pub fn knobs(&self) -> impl Iterator<Item = &Knob> {
        self.sections.iter().flat_map(|section| &section.knobs)
    }

    /// Every limit of the file, to be completed.
    pub fn knobs_mut(&mut self) -> impl Iterator<Item = &mut Knob> {
        self.sections.iter_mut().flat_map(|section| &mut section.knobs)
    }
}

/// What has to be written to a cgroup for it to have `new` limits after `old` ones: what is not limited any more is set
/// to what the kernel begins with.
pub fn changes(old: &[Knob], new: &[Knob]) -> Vec<Knob> {
    let freed = old.iter().filter(|old| !new.iter().any(|new| is_same(old, new))).map(free);
    let set = new.iter().filter(|new| !old.iter().any(|old| is_same(old, new) && old.value == new.value));
    freed.chain(set.cloned()).collect()
}

fn is_same(one: &Knob, other: &Knob) -> bool {
    let device = |knob: &Knob| resources::device(&knob.value).to_owned();
    one.file == other.file && (one.file != "io.max" || device(one) == device(other))
}

/// What a file of a new cgroup has.
fn free(knob: &Knob) -> Knob {
    let value = match knob.file.as_str() {
        "memory.oom.group" => "0".to_owned(),
        "cpu.weight" | "io.weight" => "100".to_owned(),
        "io.max" => format!("{} rbps=max wbps=max riops=max wiops=max", resources::device(&knob.value)),
        _ => "max".to_owned(),
    };
    let name = knob.option.split(' ').next().unwrap_or_default();
    Knob { option: format!("{name} = {value}"), value, file: knob.file.clone() }
}

fn whose(title: &Placed<String>, uid_of: &dyn Fn(&str) -> Option<u32>) -> Result<Whose, ConfigError> {
    let refuse = |cause: String, cure: &str| Err(ConfigError::at(&title.place, cause).cure(cure));
    let Some(user) = title.value.strip_prefix(USER) else {
        return match Pattern::new(&title.value) {
            Ok(pattern) if !title.value.is_empty() => Ok(Whose::Named(pattern)),
            _ => refuse(
                format!("{} is no pattern of vassals", quoted(&title.value)),
                "write [shop.ini], [shop-*], [*] or [uid=alice]",
            ),
        };
    };
    match user.parse().ok().or_else(|| uid_of(user)) {
        Some(uid) => Ok(Whose::User(uid)),
        None => refuse(format!("there is no user {}", quoted(user)), "write a name or a number: [uid=1000]"),
    }
}

fn apply(knobs: &mut Vec<Knob>, entry: &Entry) -> Result<(), ConfigError> {
    if resources::apply(knobs, &entry.key, entry)? {
        return Ok(());
    }
    let error = ConfigError::at(&entry.place, format!("{} is no limit of a cgroup", quoted(&entry.key)));
    Err(error.cure(match nearest(&entry.key) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("use one of {}", resources::NAMES.join(", ")),
    }))
}

/// Letters that may be wrong in a name that is still understood.
const WRONG_MAX: usize = 3;

fn nearest(key: &str) -> Option<&'static str> {
    let distances: BTreeMap<usize, &str> =
        resources::NAMES.into_iter().rev().map(|name| (strsim::levenshtein(key, name), name)).collect();
    distances.first_key_value().filter(|(distance, _)| **distance <= WRONG_MAX).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "; tenants\n[shop.ini]\nmemory-max = 256M\n[uid=alice]\nmemory-max = 128M\npids-max = 50\n\
                        [big-*]\ncpu-max = 2\nio-max = 8:0 rbps=1M\nio-max = 8:16 rbps=2M\n[*]\npids-max = 20\n";

    fn read(text: &str) -> Result<LimitsFile, String> {
        let known = |name: &str| (name == "alice").then_some(1000);
        LimitsFile::parse(&"l.ini".into(), text.as_bytes(), &known)
            .map_err(|errors| errors.iter().map(|error| format!("{error}\n")).collect())
    }

    fn of(text: &str, vassal: &str, uid: u32, everybodys: &[Knob]) -> String {
        let knobs = read(text).expect("good").of(vassal, uid, everybodys);
        knobs.iter().map(|knob| knob.option.as_str()).collect::<Vec<_>>().join(", ")
    }

    fn knob(file: &str, value: &str) -> Knob {
        let option = format!("{} = {value}", file.replace('.', "-"));
        Knob { file: file.into(), value: value.into(), option }
    }

    #[test]
    fn of_each_limit_the_first_section_that_has_it_counts() {
        let everybodys = [knob("memory.max", "1"), knob("cpu.weight", "7")];
        for (vassal, uid, wanted) in [
            ("shop.ini", 1000, "memory-max = 256M, pids-max = 50, cpu-weight = 7"),
            ("a.ini", 1000, "memory-max = 128M, pids-max = 50, cpu-weight = 7"),
            ("a.ini", 2, "pids-max = 20, memory-max = 1, cpu-weight = 7"),
            (
                "big-one",
                2,
                "cpu-max = 2, io-max = 8:0 rbps=1M, io-max = 8:16 rbps=2M, pids-max = 20, memory-max = 1, cpu-weight = 7",
            ),
        ] {
            assert_eq!(of(FILE, vassal, uid, &everybodys), wanted, "{vassal} {uid}");
        }
        assert_eq!(of("", "a.ini", 0, &[]), "");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_its_line_and_its_cure() {
        let text = "pids-max = 1\n[a[]\npids-max = 1\n[uid=nobody-here]\nmemroy-max = 1\n[b]\nmemory-max = much\ncommand = x\n[c\n";
        let told = read(text).expect_err("bad");
        for part in [
            "l.ini:1:1: `pids-max` stands before the first section",
            "say whom it is for: [*]",
            "l.ini:2:1: `a[` is no pattern of vassals",
            "l.ini:4:1: there is no user `nobody-here`",
            "l.ini:5:1: `memroy-max` is no limit of a cgroup\n  memroy-max = 1\n  ^\n  did you mean `memory-max`?",
            "l.ini:7:14: `memory-max`",
            "l.ini:8:1: `command` is no limit of a cgroup",
            "use one of memory-max, ",
            "l.ini:9:1: a section header ends with `]`",
        ] {
            assert!(told.contains(part), "no {part:?} in:\n{told}");
        }
    }

    #[test]
    fn a_limit_that_is_gone_is_set_free() {
        let old = [
            knob("memory.max", "1"),
            knob("cpu.weight", "7"),
            knob("io.max", "8:0 rbps=1"),
            knob("pids.max", "5"),
        ];
        let new = [knob("pids.max", "5"), knob("memory.max", "2")];
        let written: Vec<(String, String)> =
            changes(&old, &new).into_iter().map(|knob| (knob.file, knob.value)).collect();
        let wanted = [
            ("cpu.weight", "100"),
            ("io.max", "8:0 rbps=max wbps=max riops=max wiops=max"),
            ("memory.max", "2"),
        ];
        assert_eq!(written, wanted.map(|(file, value)| (file.to_owned(), value.to_owned())));
        assert!(changes(&new, &new).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
            let told = LimitsFile::parse(&"l.ini".into(), &bytes, &|_| None);
            let _ = told.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>());
        }
    }
}
