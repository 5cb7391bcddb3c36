//! Pure. Limits and priorities of a process, from what `/proc` says of it (`proc_pid_limits(5)`,
//! `proc_pid_status(5)`): a session in its jail has the same.

use jail::plan::{IoPriority, Limit, Resource, Setting};

/// What a process passes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    limits: Vec<(Resource, Limit)>,
    umask: Option<u32>,
    processors: Vec<u16>,
    /// From the file `oom_score_adj`.
    pub oom_score: Option<i32>,
    /// Told by a call of its own (`getpriority(2)`).
    pub nice: Option<i32>,
    /// Of its I/O; told by a call of its own (`ioprio_get(2)`).
    pub io: Option<IoPriority>,
}

/// How `/proc` calls the resources, and what it counts them in.
const NAMES: [(&str, Resource); 16] = [
    ("Max cpu time", Resource::Cpu),
    ("Max file size", Resource::Fsize),
    ("Max data size", Resource::Data),
    ("Max stack size", Resource::Stack),
    ("Max core file size", Resource::Core),
    ("Max resident set", Resource::Rss),
    ("Max processes", Resource::Nproc),
    ("Max open files", Resource::Nofile),
    ("Max locked memory", Resource::Memlock),
    ("Max address space", Resource::As),
    ("Max file locks", Resource::Locks),
    ("Max pending signals", Resource::Sigpending),
    ("Max msgqueue size", Resource::Msgqueue),
    ("Max nice priority", Resource::Nice),
    ("Max realtime priority", Resource::Rtprio),
    ("Max realtime timeout", Resource::Rttime),
];

impl Settings {
    /// From the file `limits` and the lines of `status`; `None` for limits that are not whole.
    pub fn of(limits: &str, status: &[&str]) -> Option<Self> {
        let field = |name: &str| field(status, name).map(str::trim);
        let lines: Vec<&str> = limits.lines().collect();
        Some(Self {
            limits: NAMES
                .iter()
                .map(|(name, of)| Some((*of, limit(&lines, name)?)))
                .collect::<Option<_>>()?,
            umask: field("Umask").and_then(|mask| u32::from_str_radix(mask, 8).ok()),
            processors: field("Cpus_allowed_list").map(processors).unwrap_or_default(),
            oom_score: None,
            nice: None,
            io: None,
        })
    }

    /// What is passed on whoever it is: the mask and the processors.
    pub fn plain(&self) -> Vec<Setting> {
        let processors = Some(self.processors.clone()).filter(|list| !list.is_empty());
        let mask = self.umask.map(Setting::Umask);
        mask.into_iter().chain(processors.map(Setting::Processors)).collect()
    }

    /// What may take rights, for one with these limits. Without the rights one is left behind, never ahead.
    pub fn preferred(&self, ours: impl Fn(Resource) -> Limit) -> Vec<Setting> {
        let higher = self.limits.iter().filter(|(resource, limit)| limit.hard > ours(*resource).hard);
        let higher = higher.map(|(resource, limit)| Setting::Limit(*resource, *limit));
        let rest =
            [self.nice.map(Setting::Nice), self.oom_score.map(Setting::OomScore), self.io.map(Setting::Io)];
        higher.chain(rest.into_iter().flatten()).collect()
    }

    /// All limits, as far as one with these can have them.
    pub fn limits(&self, ours: impl Fn(Resource) -> Limit) -> Vec<Setting> {
        let capped = |(resource, limit): &(Resource, Limit)| {
            let most = ours(*resource).hard;
            Setting::Limit(*resource, Limit { soft: limit.soft.min(most), hard: limit.hard.min(most) })
        };
        self.limits.iter().map(capped).collect()
    }

    /// Whether it may have less of anything than another one of its jail.
    pub fn is_less_than(&self, other: &Self) -> bool {
        self.limits.iter().zip(&other.limits).any(|((_, less), (_, more))| less.hard < more.hard)
    }
}

/// What stands behind this name in the lines of `status`.
pub fn field<'a>(status: &[&'a str], name: &str) -> Option<&'a str> {
    status.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
}

fn limit(limits: &[&str], name: &str) -> Option<Limit> {
    let line = limits.iter().find_map(|line| line.strip_prefix(name))?;
    let mut amounts = line.split_whitespace().map(|word| match word {
        "unlimited" => Some(Limit::NONE),
        number => number.parse().ok(),
    });
    Some(Limit { soft: amounts.next()??, hard: amounts.next()?? })
}

/// `0-3,6`.
fn processors(list: &str) -> Vec<u16> {
    let range = |word: &str| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: &str = include_str!("limits.txt");
    const STATUS: &[&str] = &["Name:\ta", "Umask:\t0027", "Cpus_allowed_list:\t0-1,6"];

    fn settings() -> Settings {
        let told = Settings::of(LIMITS, STATUS).expect("whole");
        Settings { nice: Some(5), oom_score: Some(300), ..told }
    }

    fn unlimited(_: Resource) -> Limit {
        Limit::of(Limit::NONE)
    }

    #[test]
    fn a_process_is_read_as_it_is() {
        assert_eq!(settings().plain(), [Setting::Umask(0o27), Setting::Processors(vec![0, 1, 6])]);
        assert_eq!(settings().preferred(unlimited), [Setting::Nice(5), Setting::OomScore(300)]);
        let limits = settings().limits(unlimited);
        assert_eq!(limits.len(), Resource::ALL.len());
        let files = Setting::Limit(Resource::Nofile, Limit { soft: 1024, hard: 4096 });
        assert!(limits.contains(&files), "{limits:?}");
        assert_eq!(Settings::of("", STATUS), None);
    }

    #[test]
    fn nobody_gets_more_than_he_can_have() {
        let poor = |_| Limit::of(64);
        assert!(
            settings()
                .preferred(poor)
                .contains(&Setting::Limit(Resource::Nofile, Limit { soft: 1024, hard: 4096 }))
        );
        assert!(settings().limits(poor).contains(&Setting::Limit(Resource::Nofile, Limit::of(64))));
    }

    #[test]
    fn whoever_may_have_less_is_known() {
        let less = Settings::of(&LIMITS.replace("4096", "1024"), STATUS).expect("whole");
        assert!(less.is_less_than(&settings()) && !settings().is_less_than(&less));
    }
}
