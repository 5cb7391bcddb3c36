//! Pure. What the kernel says is mounted (`/proc/PID/mountinfo`, `proc_pid_mountinfo(5)`), held against what was
//! asked for.

use std::path::PathBuf;

use super::Attributes;

/// A mount that was made, as it has to be found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its number (`STATX_MNT_ID`).
    pub id: u64,
    /// Where.
    pub target: PathBuf,
    /// What it and every mount below it has at least.
    pub attributes: Attributes,
    /// What it has besides, by itself.
    pub alone: Attributes,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    id: u64,
    parent: u64,
    target: String,
    attributes: Attributes,
    private: bool,
}

/// Mounts that one table may have; a jail with more is refused.
const LINES_MAX: usize = 100_000;

/// Whether all that was `expected` is there, with its attributes, and so on below it; with a root of its own
/// (`closed`) also that nothing else is.
///
/// # Errors
/// The first thing that differs, in words.
pub fn verify(table: &str, expected: &[Expected], closed: bool) -> Result<(), String> {
    let lines: Vec<Line> = table
        .lines()
        .take(LINES_MAX + 1)
        .map(line)
        .collect::<Option<_>>()
        .ok_or("mountinfo cannot be read")?;
    if lines.len() > LINES_MAX {
        return Err(format!("more than {LINES_MAX} mounts"));
    }
    expected.iter().try_for_each(|one| is_there(&lines, one))?;
    lines.iter().try_for_each(|line| is_covered(&lines, line, expected, closed))
}

/// True when the table has a mount of this number.
pub fn has(table: &str, id: u64) -> bool {
    table.lines().filter_map(line).any(|line| line.id == id)
}

fn is_there(lines: &[Line], expected: &Expected) -> Result<(), String> {
    let shown = expected.target.display();
    let line = lines.iter().find(|line| line.id == expected.id);
    let line = line.ok_or_else(|| format!("{shown} was covered or moved while it was mounted"))?;
    // The table was read as text: what is no UTF-8 is no UTF-8 in both.
    if line.target != expected.target.to_string_lossy() {
        return Err(format!("{shown} was moved to {} while it was mounted", line.target));
    }
    Ok(())
}

/// A mount of ours, or below one of ours, has what that was to have; anything else is a stranger.
fn is_covered(lines: &[Line], line: &Line, expected: &[Expected], closed: bool) -> Result<(), String> {
    let shown = &line.target;
    let Some(above) = nearest(lines, line, expected) else {
        return if closed { Err(format!("{shown} is a mount of the host")) } else { Ok(()) };
    };
    if !line.private {
        return Err(format!("{shown} is shared with others"));
    }
    let alone = if above.id == line.id { above.alone } else { Attributes::NONE };
    let missing = above.attributes.with(alone).without(line.attributes);
    if missing == Attributes::NONE { Ok(()) } else { Err(format!("{shown} did not become {missing}")) }
}

/// The mount of ours that this one is, or is below.
fn nearest<'a>(lines: &[Line], line: &Line, expected: &'a [Expected]) -> Option<&'a Expected> {
    let mut id = line.id;
    let mut parent = line.parent;
    // No line is its own ancestor: so there are no more steps than lines.
    for _ in 0..=lines.len() {
        if let Some(found) = expected.iter().find(|one| one.id == id) {
            return Some(found);
        }
        let above = lines.iter().find(|one| one.id == parent)?;
        (id, parent) = (above.id, above.parent);
    }
    None
}

/// `ID PARENT MAJOR:MINOR ROOT TARGET OPTIONS [FIELD…] - TYPE SOURCE SUPER-OPTIONS`.
fn line(text: &str) -> Option<Line> {
    let mut words = text.split(' ');
    let id = words.next()?.parse().ok()?;
    let parent = words.next()?.parse().ok()?;
    let target = unescaped(words.nth(2)?);
    let options = words.next()?;
    let attributes =
        options.split(',').filter_map(Attributes::named).fold(Attributes::NONE, Attributes::with);
    let mut fields = words.take_while(|word| *word != "-");
    let private = !fields.any(|field| field.starts_with("shared:") || field.starts_with("master:"));
    Some(Line { id, parent, target, attributes, private })
}

/// Blanks, tabs, newlines and backslashes stand there as `\` and three octal digits.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = tail.get(..3).filter(|_| *first == b'\\').and_then(octal);
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() { &tail[3..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::super::HARMLESS;
    use super::*;

    const TABLE: &str = "\
10 1 8:1 /jail / ro,nosuid,nodev,relatime - ext4 /dev/sda1 rw
11 10 0:5 / /my\\040data rw,nosuid,nodev master:3 - tmpfs tmpfs rw
12 10 0:6 / /tmp rw,nosuid - tmpfs tmpfs rw
";

    fn expected(id: u64, target: &str, attributes: Attributes) -> Expected {
        Expected { id, target: target.into(), attributes, alone: Attributes::NONE }
    }

    #[test]
    fn what_lacks_an_attribute_is_refused_by_name() {
        let root = expected(10, "/", HARMLESS.with(Attributes::RO));
        let told = |list: &[Expected]| verify(TABLE, list, true).unwrap_err();
        assert_eq!(told(std::slice::from_ref(&root)), "/my data is shared with others");
        let table = TABLE.replace(" master:3", "");
        assert_eq!(
            verify(&table, std::slice::from_ref(&root), true).unwrap_err(),
            "/my data did not become ro"
        );
        let list = [expected(10, "/", HARMLESS), expected(12, "/tmp", HARMLESS)];
        assert_eq!(verify(&table, &list, true).unwrap_err(), "/tmp did not become nodev");
        let list = [root, expected(11, "/my data", HARMLESS), expected(12, "/tmp", Attributes::NOSUID)];
        assert_eq!(verify(&table, &list, true), Ok(()));
    }

    #[test]
    fn what_is_gone_or_elsewhere_or_a_strangers_is_refused() {
        let table = TABLE.replace(" master:3", "");
        let told = |list: &[Expected], closed| verify(&table, list, closed);
        assert!(told(&[expected(13, "/x", HARMLESS)], false).unwrap_err().contains("covered or moved"));
        assert!(told(&[expected(12, "/run", HARMLESS)], false).unwrap_err().contains("moved to /tmp"));
        assert_eq!(
            told(&[expected(11, "/my data", HARMLESS)], true).unwrap_err(),
            "/ is a mount of the host"
        );
        assert_eq!(told(&[expected(11, "/my data", HARMLESS)], false), Ok(()));
        assert!(verify("garbage", &[], false).is_err());
    }

    #[test]
    fn what_one_mount_has_by_itself_those_below_it_need_not_have() {
        let table = TABLE.replace(" master:3", "");
        let own = |id, target| Expected { alone: Attributes::RO, ..expected(id, target, Attributes::NOSUID) };
        assert_eq!(verify(&table, &[own(10, "/")], true), Ok(()));
        let told =
            verify(&table, &[expected(10, "/", HARMLESS.without(Attributes::NODEV)), own(12, "/tmp")], true);
        assert_eq!(told.unwrap_err(), "/tmp did not become ro");
    }
}
