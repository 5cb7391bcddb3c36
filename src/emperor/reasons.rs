//! Pure. Why a vassal is not there, what comes next, and what people can do about it.

use std::borrow::Cow;

use super::commanded::COMMANDED;
use super::event::Moment;
use super::past::End;
use super::snapshot::VassalView;

/// Stands in advice for the command that checks the config: whoever gives the advice knows the paths, and who may know them.
pub const CHECK: &str = "`liege check EMPEROR.ini FILE`";

impl VassalView {
    /// Why it does not run, else why its last process ended; empty for one that has never been anything but well.
    pub fn reason(&self) -> String {
        if let Some(refusal) = &self.refusal {
            return match self.state {
                "too-many" => refusal.to_string(),
                _ => format!("its config may not run: {refusal}"),
            };
        }
        if let Some(failure) = self.failure.as_ref().filter(|_| !self.up) {
            return format!("cannot be started: {failure}");
        }
        if let Some(kept) = &self.kept {
            return format!("its new config is not used: {kept}");
        }
        match self.state {
            "refused" => format!("its config is wrong: {}", self.fault()),
            "exiled" => "it ended with status 26, which asks not to be started again".to_owned(),
            "ended" => "the Emperor ends".to_owned(),
            "stopped" => "it asked to be stopped".to_owned(),
            "disabled" if self.outlaws => format!("its owner, uid {}, was disabled", self.owner.uid),
            "disabled" => "it was disabled".to_owned(),
            "suspended" if self.halted => "it was stopped (`liege stop`, or the command `stop`)".to_owned(),
            "suspended" => "it waits for its first start (`liege start`, or the command `spawn`)".to_owned(),
            "on-demand" => "nobody connects".to_owned(),
            _ => self.last_end.as_ref().map_or_else(|| self.wait().to_owned(), End::words),
        }
    }

    /// When that was, if it is the end of a process.
    pub fn reason_at(&self) -> Option<Moment> {
        let other = self.refusal.is_some() || self.failure.is_some() && !self.up || self.kept.is_some();
        let is_end = match self.state {
            "on-demand" | "ended" | "disabled" => false,
            "suspended" => self.was_commanded(),
            _ => !other,
        };
        self.last_end.as_ref().filter(|_| is_end).map(|end| end.at)
    }

    /// Its process has found its config wrong by its text alone.
    pub(super) fn is_useless(&self) -> bool {
        self.state == "refused" && self.refusal.is_none()
    }

    /// What is wrong with it, in the words of that process.
    pub(super) fn fault(&self) -> &str {
        let said = self.last_end.as_ref().and_then(|end| end.trouble.as_deref());
        said.unwrap_or("its process did not say why")
    }

    fn was_commanded(&self) -> bool {
        self.last_end.as_ref().is_some_and(|end| end.bidden.stop == Some(COMMANDED))
    }

    /// What keeps a vassal that has had no process yet.
    fn wait(&self) -> &'static str {
        match self.state {
            "queued" => "as many starts as may be are under way; its turn comes",
            "throttled" => "it was started too often in a short time",
            "starting" | "stepping" => "it is being started",
            _ => "",
        }
    }

    /// What happens next without anybody doing anything; empty when nothing does.
    pub fn next(&self, now: Moment) -> String {
        if let Some(at) = self.next_start {
            let why = match self.deaths {
                0 => "held back by its ration of starts".to_owned(),
                1 => "after a death".to_owned(),
                deaths => format!("after {deaths} deaths in a row"),
            };
            return format!("it is started in {} s, {why}", seconds(at, now));
        }
        match (self.state, self.deadline) {
            ("queued", _) => "it is started as soon as one of the starts under way is through".to_owned(),
            ("refused", _) if self.is_useless() => {
                "it rests until the file changes, somebody starts it (`spawn`) or everything reloads"
                    .to_owned()
            }
            ("refused" | "exiled", _) => "it is started when its config changes".to_owned(),
            ("too-many", _) => "it is started when a vassal of its owner goes".to_owned(),
            ("disabled", _) if self.outlaws => {
                self.once(&format!("it is started when root says `liege enable uid={}`", self.owner.uid))
            }
            ("disabled", _) => self.once(&format!("it is started by `liege enable {}`", self.key.name)),
            ("suspended", _) => self.once(&format!("it is started by `liege start {}`", self.key.name)),
            ("on-demand", _) => "it is started when somebody connects".to_owned(),
            ("stopped", _) => "it is started when its config changes or everything reloads".to_owned(),
            (_, Some((at, "kill" | "curse"))) => {
                format!("it is killed in {} s if it has not ended", seconds(at, now))
            }
            (_, Some((at, "heartbeat"))) => {
                format!("it is told to stop in {} s if no heartbeat comes", seconds(at, now))
            }
            (_, Some((at, "reload"))) => format!("it is told to reload in {} s", seconds(at, now)),
            _ => String::new(),
        }
    }

    /// Of one that does not run before somebody says so: its listener is there all the time.
    fn once(&self, sentence: &str) -> String {
        let waits = if self.on_demand.is_some() { "; whoever connects meanwhile waits for that" } else { "" };
        format!("{sentence}{waits}")
    }

    /// What people can do about it; empty when nothing needs to be done.
    pub fn advice(&self) -> Cow<'static, str> {
        match self.state {
            "suspended" => Cow::Owned(format!("`liege start {}`", self.key.name)),
            _ => Cow::Borrowed(self.cure()),
        }
    }

    fn cure(&self) -> &'static str {
        match self.state {
            "refused" if self.is_useless() => {
                "mend the config (`liege check EMPEROR.ini FILE`); if it is a file that this one includes, touch this one then"
            }
            "refused" => {
                "mend the config (`liege check EMPEROR.ini FILE`); it is looked at again as soon as it changes"
            }
            "too-many" => "remove a vassal of this owner, or raise emperor-tenant-max",
            "throttled" if self.failure.is_some() => {
                "mend what failed, then touch the config: that ends the delay"
            }
            "throttled" if self.last_end.as_ref().is_some_and(|end| end.trouble.is_some()) => {
                "mend what it says (`liege check EMPEROR.ini FILE`), then touch the config: that ends the delay"
            }
            "throttled" => {
                "read what its program says (`logto`, or the log of the Emperor), then touch the config: that ends the delay"
            }
            "exiled" => "touch the config to start it again",
            "stopped" => "touch the config, or send SIGHUP to the Emperor",
            _ if self.kept.is_some() => {
                "mend the config (`liege check EMPEROR.ini FILE`); it is looked at again as soon as it changes"
            }
            _ if self.strain.is_some() => "raise the limit that it meets, or have its program need less",
            _ => "",
        }
    }
}

fn seconds(at: Moment, now: Moment) -> u64 {
    at.ms_since(now).div_ceil(1_000)
}
