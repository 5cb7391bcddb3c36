//! Pure. Namespaces besides `unshare`: later ones, those of others, clocks; and forks on the way.

use std::path::PathBuf;

use jail::Namespaces;
use jail::plan::{Clock, ClockOffset, Extent};

use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::values::{Wrong, flag, namespaces, path, text};

/// What a vassal is apart from, and with whom it is together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Separation {
    /// `unshare2`: once the root is another one.
    pub later: Option<Placed<Namespaces>>,
    /// `jailed`: the post-jail phase takes place in any case.
    pub post_jail: bool,
    /// `refork…`: where a child goes on.
    pub reforks: Vec<Refork>,
    /// `time-offset`: one for each clock.
    pub clocks: Vec<Placed<ClockOffset>>,
    /// `unshare-id-map`: of the user namespace that is made; none is its root alone, who is who we are.
    pub ids: Vec<Placed<Extent>>,
    /// `setns`: the socket of somebody whose namespaces are joined.
    pub join: Option<Placed<PathBuf>>,
    /// `setns-socket`: where ours are served.
    pub serve: Option<Placed<PathBuf>>,
    /// `setns-socket-skip`: names in `/proc/PID/ns` of what is not served.
    pub skip: Vec<String>,
    /// `setns-preopen`: served is what we have before the root is another one.
    pub preopen: bool,
}

/// Where a child goes on in our place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refork {
    /// After the post-jail phase.
    PostJail,
    /// Before the as-root phase.
    AsRoot,
    /// Before the as-user phase.
    AsUser,
}

impl Refork {
    /// The option that asks for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::PostJail => "refork-post-jail",
            Self::AsRoot => "refork-as-root",
            Self::AsUser => "refork",
        }
    }
}

impl Separation {
    /// Takes an option that is one of these; false when it is none.
    ///
    /// # Errors
    /// A value that is none.
    pub fn apply(&mut self, name: &str, entry: &Entry) -> Result<bool, ConfigError> {
        match name {
            "unshare2" => self.unshare(entry)?,
            "jailed" => self.post_jail = value(entry, flag)?,
            "refork-post-jail" => self.refork(entry, Refork::PostJail)?,
            "refork-as-root" => self.refork(entry, Refork::AsRoot)?,
            "refork" => self.refork(entry, Refork::AsUser)?,
            "time-offset" => self.set_clock(entry)?,
            "unshare-id-map" => self.ids.push(entry.placed(value(entry, extent)?)),
            "setns" => self.join = Some(entry.placed(value(entry, path)?)),
            "setns-socket" => self.serve = Some(entry.placed(value(entry, file)?)),
            "setns-socket-skip" => self.skip.push(value(entry, text)?),
            "setns-preopen" => self.preopen = value(entry, flag)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The namespaces of `unshare2`.
    pub fn later(&self) -> Namespaces {
        self.later.as_ref().map_or(Namespaces::NONE, |later| later.value)
    }

    /// What the clocks are ahead.
    pub fn offsets(&self) -> Vec<ClockOffset> {
        self.clocks.iter().map(|clock| clock.value).collect()
    }

    /// The ids of a user namespace that is made.
    pub fn extents(&self) -> Vec<Extent> {
        match self.ids[..] {
            [] => vec![Extent::one(0, 0)],
            _ => self.ids.iter().map(|one| one.value).collect(),
        }
    }

    /// Repetitions add up.
    fn unshare(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        let more = value(entry, namespaces)?;
        self.later = Some(entry.placed(self.later().with(more)));
        Ok(())
    }

    fn refork(&mut self, entry: &Entry, at: Refork) -> Result<(), ConfigError> {
        self.reforks.retain(|one| *one != at);
        if value(entry, flag)? {
            self.reforks.push(at);
        }
        Ok(())
    }

    /// The last one of each clock counts.
    fn set_clock(&mut self, entry: &Entry) -> Result<(), ConfigError> {
        let offset = entry.placed(value(entry, clock_offset)?);
        self.clocks.retain(|one| one.value.clock != offset.value.clock);
        self.clocks.push(offset);
        Ok(())
    }
}

/// A socket without a file has no owner and no mode.
pub(super) fn file(value: &str) -> Result<PathBuf, Wrong> {
    match value.starts_with('@') {
        true => {
            Err(Wrong { cause: "an abstract socket is everybody's".into(), cure: Some("give a path".into()) })
        }
        false => path(value),
    }
}

fn extent(value: &str) -> Result<Extent, Wrong> {
    let wrong = || Wrong {
        cause: "no map of ids".into(),
        cure: Some("such as 0 100000 65536: first id inside, first id outside, how many".into()),
    };
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    let words: Vec<&str> = value.split_ascii_whitespace().filter(|word| is_number(word)).collect();
    let numbers: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let (&[inside, outside, count], 3) = (&numbers[..], value.split_ascii_whitespace().count()) else {
        return Err(wrong());
    };
    // 4294967295 is no id.
    let ends = |first: u32| first.checked_add(count).is_some();
    (count > 0 && ends(inside) && ends(outside))
        .then_some(Extent { inside, outside, count })
        .ok_or_else(wrong)
}

fn clock_offset(value: &str) -> Result<ClockOffset, Wrong> {
    let wrong = || Wrong {
        cause: "no offset of a clock".into(),
        cure: Some("such as monotonic:86400 or boottime:-60, in seconds".into()),
    };
    let (name, seconds) = value.split_once(':').ok_or_else(wrong)?;
    let clock = [Clock::Monotonic, Clock::Boottime].into_iter().find(|clock| clock.name() == name);
    let digits = seconds.strip_prefix('-').unwrap_or(seconds);
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = seconds.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    Ok(ClockOffset { clock: clock.ok_or_else(wrong)?, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_ids_has_two_firsts_and_a_number_of_them() {
        let read = |text: &str| extent(text).ok();
        assert_eq!(read("0 100000 65536"), Some(Extent { inside: 0, outside: 100_000, count: 65_536 }));
        assert_eq!(read(" 7  7 1 "), Some(Extent::one(7, 7)));
        let last = Extent { inside: 0, outside: 0, count: u32::MAX };
        assert_eq!(read("0 0 4294967295"), Some(last));
        for text in [
            "",
            "0",
            "0 0",
            "0 0 0",
            "0 0 1 1",
            "0 x 1 1",
            "-1 0 1",
            "+1 0 1",
            "1 0 4294967295",
            "0 4294967295 1",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn an_offset_has_a_clock_and_whole_seconds() {
        let read = |text: &str| clock_offset(text).ok().map(|offset| (offset.clock, offset.seconds));
        assert_eq!(read("monotonic:86400"), Some((Clock::Monotonic, 86_400)));
        assert_eq!(read("boottime:-60"), Some((Clock::Boottime, -60)));
        for text in [
            "",
            "86400",
            "monotonic",
            "monotonic:",
            "monotonic:-",
            "realtime:1",
            "monotonic:+1",
            "monotonic:1.5",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert_eq!(read("monotonic:9223372036854775808"), None);
    }
}
