//! Pure. `$(NAME)` and `%(name)` in values.

use std::collections::{BTreeMap, BTreeSet};

use super::calculate::{calculate, is_calculation};
use super::show::quoted;
use super::source::{self, NotRun, Variable, World};
use super::values::Wrong;

/// Bytes of one expanded value.
pub const VALUE_MAX: usize = 64 << 10;
/// A value may name one that names one …, this deep.
pub const DEPTH_MAX: usize = 16;
/// What one replacement costs besides its bytes.
const WORK_OF_ONE: usize = 64;
/// Files and other sources that the values of a config contain with `@(…)`.
pub const CONTENTS_MAX: usize = 1_000;
/// Bytes looked at for all values of a config together: what a hostile config may cost.
pub const WORK_MAX: usize = 16 << 20;

/// What to do about too much.
const SMALLER: &str = "repeat less: each value may name a few short ones";

/// Replaces names in parentheses by what they stand for; what stands for nothing stays as it is.
pub struct Expander<'a> {
    world: &'a dyn World,
    /// Value of the first option or placeholder of each name.
    options: BTreeMap<String, String>,
    /// Variables of the config's own; `None` for one that was taken away.
    variables: BTreeMap<String, Option<String>>,
    /// Names asked for with `%(name)`.
    named: BTreeSet<String>,
    work_left: usize,
    contents_left: usize,
    is_exhausted: bool,
    notes: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sigil {
    Environment,
    Option,
}

impl Sigil {
    fn opening(self) -> &'static str {
        match self {
            Self::Environment => "$(",
            Self::Option => "%(",
        }
    }
}

impl<'a> Expander<'a> {
    /// Nothing expanded yet.
    pub fn new(world: &'a dyn World) -> Self {
        Self {
            world,
            options: BTreeMap::new(),
            variables: BTreeMap::new(),
            named: BTreeSet::new(),
            work_left: WORK_MAX,
            contents_left: CONTENTS_MAX,
            is_exhausted: false,
            notes: Vec::new(),
        }
    }

    /// Makes `%(name)` stand for a value, unless an earlier one has that name.
    pub fn define(&mut self, name: &str, value: &str) {
        self.options.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// Makes `$(name)` stand for a value, or for none, from here on.
    pub fn set_variable(&mut self, name: String, value: Option<String>) {
        self.variables.insert(name, value);
    }

    /// What `$(name)` stands for.
    pub fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).cloned().unwrap_or_else(|| self.world.variable(name))
    }

    /// The variables that were set or taken away.
    pub fn into_variables(self) -> Vec<Variable> {
        self.variables.into_iter().collect()
    }

    /// True when some value asked for `%(name)`.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// The value of the first option or placeholder of this name.
    pub fn defined(&self, name: &str) -> Option<String> {
        self.options.get(name).cloned()
    }

    /// Counts bytes that are looked at.
    ///
    /// # Errors
    /// A sentence: the config asks for too much.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Wrong> {
        let left = self.work_left.checked_sub(bytes + WORK_OF_ONE);
        self.is_exhausted |= left.is_none();
        self.work_left = left.ok_or_else(|| Wrong::new("too much to expand in this config", SMALLER))?;
        Ok(())
    }

    /// True once the config has asked for too much.
    pub fn is_exhausted(&self) -> bool {
        self.is_exhausted
    }

    /// The value with its `$(…)`, then its `@(…)` replaced.
    ///
    /// # Errors
    /// A sentence: endless, too long, or a source that cannot be read.
    pub fn environment(&mut self, value: &str) -> Result<String, Wrong> {
        let value = self.replace(Sigil::Environment, value, 0)?;
        self.contents(&value)
    }

    /// What was left as it is, because it is not for us to find out.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The value with each `name` in it, a text without parentheses of its own, replaced by `by`.
    ///
    /// # Errors
    /// As above.
    pub fn with(&mut self, value: &str, name: &str, by: &str) -> Result<String, Wrong> {
        let grown = value.matches(name).count() * by.len();
        self.charge(value.len() + grown)?;
        if grown > VALUE_MAX { Err(too_long()) } else { Ok(value.replace(name, by)) }
    }

    /// What a source contains is not searched for further sources: a file must not name what is read or run.
    fn contents(&mut self, value: &str) -> Result<String, Wrong> {
        let mut out = String::new();
        let mut rest = value;
        while let Some((before, source, behind)) = parenthesis("@(", rest) {
            out.push_str(before);
            out.push_str(&self.content(source)?);
            if out.len() > VALUE_MAX {
                return Err(too_long());
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn content(&mut self, source: &str) -> Result<String, Wrong> {
        let left = self.contents_left.checked_sub(1);
        let many = || Wrong::new(format!("more than {CONTENTS_MAX} sources in values"), SMALLER);
        self.contents_left = left.ok_or_else(many)?;
        let origin = match self.world.read(source) {
            Err(error) if NotRun::is_in(&error) => {
                self.notes.push(format!("{}: {error}", quoted(source)));
                return Ok(format!("@({source})"));
            }
            read => read.map_err(|error| source::unread(source, &error))?,
        };
        self.charge(origin.text.len())?;
        let wrong =
            |what: &str| Wrong::new(format!("{} {what}", quoted(source)), "a value takes one short text");
        if origin.text.len() > VALUE_MAX {
            return Err(wrong(&format!("has more than {VALUE_MAX} bytes")));
        }
        let text = String::from_utf8(origin.text).map_err(|_| wrong("is not valid UTF-8"))?;
        if text.contains('\0') {
            return Err(wrong("contains a NUL byte"));
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }

    /// The value with its `%(…)` replaced.
    ///
    /// # Errors
    /// As above.
    pub fn options(&mut self, value: &str) -> Result<String, Wrong> {
        self.replace(Sigil::Option, value, 0)
    }

    fn replace(&mut self, sigil: Sigil, text: &str, depth: usize) -> Result<String, Wrong> {
        if depth > DEPTH_MAX {
            let cause = format!("expands more than {DEPTH_MAX} times: does it contain itself?");
            return Err(Wrong::new(cause, "give one of the names in it a value without the others"));
        }
        self.charge(text.len())?;
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inner, behind)) = parenthesis(sigil.opening(), rest) {
            out.push_str(before);
            out.push_str(&self.value(sigil, inner, depth)?);
            if out.len() > VALUE_MAX {
                return Err(too_long());
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&mut self, sigil: Sigil, inner: &str, depth: usize) -> Result<String, Wrong> {
        let inner = self.replace(sigil, inner, depth + 1)?;
        let found = match sigil {
            Sigil::Environment => self.environment_value(&inner),
            Sigil::Option if is_calculation(&inner) => return self.calculation(&inner, depth),
            Sigil::Option => self.option(&inner),
        };
        match found {
            Some(value) => self.replace(sigil, &value, depth + 1),
            None => Ok(format!("{}{inner})", sigil.opening())),
        }
    }

    /// `NAME`, or with a default `NAME-default`, `NAME:-default`, `NAME:default`. Anything else, such as a
    /// command of the shell, is left to whoever reads the value.
    fn environment_value(&self, inner: &str) -> Option<String> {
        let end = inner.find(|one: char| !one.is_ascii_alphanumeric() && one != '_').unwrap_or(inner.len());
        let (name, default) = inner.split_at(end);
        let default = default.strip_prefix(":-").or_else(|| default.strip_prefix(['-', ':']));
        if name.is_empty() || (default.is_none() && end < inner.len()) {
            return None;
        }
        self.variable(name).or_else(|| default.map(str::to_owned))
    }

    fn option(&mut self, name: &str) -> Option<String> {
        self.named.insert(name.to_owned());
        self.options.get(name).cloned()
    }

    fn calculation(&mut self, words: &str, depth: usize) -> Result<String, Wrong> {
        let mut trouble = None;
        let value = calculate(words, |name| {
            let value = self.option(name)?;
            // Behind an error nothing is worth its work any more.
            let value = trouble.is_none().then(|| self.replace(Sigil::Option, &value, depth + 1))?;
            value.map_err(|error| trouble = Some(error)).ok()
        });
        match trouble {
            Some(error) => Err(error),
            None if value.len() > VALUE_MAX => Err(too_long()),
            None => Ok(value),
        }
    }
}

fn too_long() -> Wrong {
    Wrong::new(format!("expands to more than {VALUE_MAX} bytes"), SMALLER)
}

/// Splits at the first `opening … )` whose parentheses balance: before, inside, behind.
fn parenthesis<'t>(opening: &str, text: &'t str) -> Option<(&'t str, &'t str, &'t str)> {
    let start = text.find(opening)?;
    let inner = &text[start + opening.len()..];
    let mut open = 1_usize;
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            b'(' => open += 1,
            b')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some((&text[..start], &inner[..at], &inner[at + 1..]));
        }
    }
    None
}
