//! Pure. Lines of `subuid(5)` and `subgid(5)`: `OWNER:FIRST:COUNT`.

/// One line: ids that belong to a user besides his own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Number of the line, from 1.
    pub line: usize,
    /// A name or a number, as it is written.
    pub owner: String,
    /// First id.
    pub first: u32,
    /// Last id.
    pub last: u32,
}

/// A line that gives nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Number of the line, from 1.
    pub line: usize,
    /// Whose it seems to be.
    pub owner: String,
}

/// All lines but empty ones and comments.
pub fn grants(text: &str) -> impl Iterator<Item = Result<Grant, Broken>> {
    let numbered = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(|(line, text)| {
        grant(line, text).ok_or_else(|| {
            let owner = text.split(':').next().unwrap_or_default();
            Broken { line, owner: owner.into() }
        })
    })
}

fn grant(line: usize, text: &str) -> Option<Grant> {
    let fields: Vec<&str> = text.split(':').collect();
    let [owner, first, count] = fields[..] else { return None };
    let (first, count) = (number(first)?, number(count)?);
    let last = first.checked_add(count.checked_sub(1)?)?;
    // All ones is "no id" to the kernel.
    let fine = !owner.is_empty() && last != u32::MAX;
    fine.then(|| Grant { line, owner: owner.into(), first, last })
}

/// Digits only: the blanks and signs that other readers forgive are mistakes here.
pub fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_an_owner_a_first_id_and_a_count() {
        let read: Vec<_> = grants("# ranges\n\nalice:100000:65536\n1000:7:1\n").collect();
        let grant = |line, owner: &str, first, last| Ok(Grant { line, owner: owner.into(), first, last });
        assert_eq!(read, [grant(3, "alice", 100_000, 165_535), grant(4, "1000", 7, 7)]);
    }

    #[test]
    fn whatever_is_not_exactly_that_gives_nothing() {
        for text in [
            "alice",
            "alice:1",
            "alice:1:2:3",
            ":1:2",
            "alice::2",
            "alice:1:",
            "alice:1:0",
            "alice: 1:2",
            "alice:1:2 ",
            "alice:+1:2",
            "alice:-1:2",
            "alice:0x10:2",
            "alice:4294967295:1",
            "alice:4294967290:6",
            "alice:4294967290:7",
            "alice:4294967296:1",
            "alice:1:4294967295",
        ] {
            let [Err(_)] = grants(text).collect::<Vec<_>>()[..] else { panic!("{text} is taken") };
        }
        assert!(matches!(grants("alice:4294967290:5").next(), Some(Ok(Grant { last: 4_294_967_294, .. }))));
    }
}
