//! Pure. `$(NAME)` and `%(name)` in values.

use std::collections::{BTreeMap, BTreeSet};

use super::source::World;

/// Bytes of one expanded value.
pub const VALUE_MAX: usize = 64 << 10;
/// A value may name one that names one …, this deep.
pub const DEPTH_MAX: usize = 16;
/// What one replacement costs besides its bytes.
const WORK_OF_ONE: usize = 64;
/// Bytes looked at for all values of a config together: what a hostile config may cost.
pub const WORK_MAX: usize = 16 << 20;

/// Replaces names in parentheses by what they stand for; what stands for nothing stays as it is.
pub struct Expander<'a> {
    world: &'a dyn World,
    /// Value of the first option or placeholder of each name.
    options: BTreeMap<String, String>,
    /// Names asked for with `%(name)`.
    named: BTreeSet<String>,
    work_left: usize,
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
        Self { world, options: BTreeMap::new(), named: BTreeSet::new(), work_left: WORK_MAX }
    }

    /// Makes `%(name)` stand for a value, unless an earlier one has that name.
    pub fn define(&mut self, name: &str, value: &str) {
        self.options.entry(name.to_owned()).or_insert_with(|| value.to_owned());
    }

    /// True when some value asked for `%(name)`.
    pub fn is_named(&self, name: &str) -> bool {
        self.named.contains(name)
    }

    /// The value with its `$(…)` replaced.
    ///
    /// # Errors
    /// A sentence: endless, too long, or a form that is not supported yet.
    pub fn environment(&mut self, value: &str) -> Result<String, String> {
        let value = self.replace(Sigil::Environment, value, 0)?;
        match parenthesis("@(", &value) {
            Some(_) => Err("a file's content in a value, `@(…)`, is not supported yet".to_owned()),
            None => Ok(value),
        }
    }

    /// The value with its `%(…)` replaced.
    ///
    /// # Errors
    /// As above.
    pub fn options(&mut self, value: &str) -> Result<String, String> {
        self.replace(Sigil::Option, value, 0)
    }

    fn replace(&mut self, sigil: Sigil, text: &str, depth: usize) -> Result<String, String> {
        if depth > DEPTH_MAX {
            return Err(format!("expands more than {DEPTH_MAX} times: does it contain itself?"));
        }
        let spent = self.work_left.checked_sub(text.len() + WORK_OF_ONE);
        self.work_left = spent.ok_or("too much to expand in this config")?;
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, inner, behind)) = parenthesis(sigil.opening(), rest) {
            out.push_str(before);
            out.push_str(&self.value(sigil, inner, depth)?);
            if out.len() > VALUE_MAX {
                return Err(format!("expands to more than {VALUE_MAX} bytes"));
            }
            rest = behind;
        }
        out.push_str(rest);
        Ok(out)
    }

    fn value(&mut self, sigil: Sigil, inner: &str, depth: usize) -> Result<String, String> {
        let inner = self.replace(sigil, inner, depth + 1)?;
        let found = match sigil {
            Sigil::Environment => self.variable(&inner),
            Sigil::Option => self.option(&inner)?,
        };
        match found {
            Some(value) => self.replace(sigil, &value, depth + 1),
            None => Ok(format!("{}{inner})", sigil.opening())),
        }
    }

    /// `NAME`, or with a default `NAME-default`, `NAME:-default`, `NAME:default`. Anything else, such as a
    /// command of the shell, is left to whoever reads the value.
    fn variable(&self, inner: &str) -> Option<String> {
        let end = inner.find(|one: char| !one.is_ascii_alphanumeric() && one != '_').unwrap_or(inner.len());
        let (name, default) = inner.split_at(end);
        let default = default.strip_prefix(":-").or_else(|| default.strip_prefix(['-', ':']));
        if name.is_empty() || (default.is_none() && end < inner.len()) {
            return None;
        }
        self.world.variable(name).or_else(|| default.map(str::to_owned))
    }

    fn option(&mut self, inner: &str) -> Result<Option<String>, String> {
        if inner.contains([' ', '\t']) || inner.ends_with("++") || inner.ends_with("--") {
            return Err(format!(
                "calculating in {} is not supported yet",
                super::show::quoted(&format!("%({inner})"))
            ));
        }
        self.named.insert(inner.to_owned());
        Ok(self.options.get(inner).cloned())
    }
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
