//! Puts the Emperor's news into words: uWSGI's own where tools look for them.

use std::time::SystemTime;

use serde_json::json;

use crate::emperor::event::Moment;
use crate::emperor::order::{News, Notice};
use crate::log::{self, Level};
use crate::monitors::{Note, SourceNews};
use crate::stats::LINE_MAX;

/// Says one thing about one vassal.
pub fn announce(notice: &Notice, now: Moment) {
    // With its place, and by the vassal itself.
    if matches!(notice.what, News::Kept { .. } | News::Troubled { .. }) {
        return;
    }
    let name = &*notice.key.name;
    let (level, text) = words(name, &notice.what, now);
    let pid = pid_of(&notice.what).map(|pid| pid.to_string());
    let mut fields = vec![("vassal", name)];
    fields.extend(pid.as_deref().map(|pid| ("pid", pid)));
    log::line(level, &fields, &text);
}

/// The same as a line of JSON, with its end; a sentence that is too long is left out.
pub fn line(notice: &Notice, source: &str, now: Moment) -> String {
    let name = &*notice.key.name;
    let (level, text) = words(name, &notice.what, now);
    let mut line = json!({
        "time": humantime::format_rfc3339_millis(SystemTime::now()).to_string(),
        "vassal": name,
        "monitor": source,
        "event": word(&notice.what),
        "pid": pid_of(&notice.what),
        "warning": level != Level::Info,
        "text": text,
    });
    if line.to_string().len() >= LINE_MAX {
        line["text"] = json!("(too long; see the log)");
    }
    format!("{line}\n")
}

fn word(news: &News) -> &'static str {
    match news {
        News::Started { .. } => "started",
        News::Spawned { .. } => "ready",
        News::Accepting { .. } => "accepting",
        News::Loyal { .. } => "loyal",
        News::Reloading { .. } => "reloading",
        News::Unanswered { .. } => "unanswered",
        News::Kept { .. } => "kept",
        News::Troubled { .. } => "troubled",
        News::Stopping { .. } => "stopping",
        News::Killing { .. } => "killed",
        News::Exited { expected: true, .. } => "ended",
        News::Exited { expected: false, .. } => "died",
        News::Refused { .. } => "refused",
        News::SpawnFailed { .. } => "failed",
        News::Throttled { .. } => "throttled",
        News::Resting { .. } => "resting",
        News::Suspended => "suspended",
        News::Reinforced { .. } => "reinforced",
        News::Listening { .. } => "listening",
        News::Misaddressed { .. } => "misaddressed",
        News::Unlistened => "unlistened",
        News::BackOnDemand => "on-demand",
        News::Remembered => "remembered",
        News::OwnerChanged { .. } => "owner-changed",
        News::TooMany { .. } => "too-many",
        News::Removed => "removed",
    }
}

fn pid_of(news: &News) -> Option<i32> {
    match news {
        News::Started { pid, .. }
        | News::Spawned { pid }
        | News::Accepting { pid }
        | News::Loyal { pid }
        | News::Reloading { pid }
        | News::Unanswered { pid }
        | News::Stopping { pid, .. }
        | News::Killing { pid, .. }
        | News::Exited { pid, .. } => Some(*pid),
        News::Refused { .. }
        | News::Kept { .. }
        | News::Troubled { .. }
        | News::SpawnFailed { .. }
        | News::Throttled { .. }
        | News::Resting { .. }
        | News::Suspended
        | News::Reinforced { .. }
        | News::OwnerChanged { .. }
        | News::TooMany { .. }
        | News::Listening { .. }
        | News::Misaddressed { .. }
        | News::Unlistened
        | News::BackOnDemand
        | News::Remembered
        | News::Removed => None,
    }
}

fn words(name: &str, news: &News, now: Moment) -> (Level, String) {
    match news {
        News::Started { pid, owner, start } => {
            (Level::Info, format!("started with pid {pid} for {}:{} (start {start})", owner.uid, owner.gid))
        }
        News::Spawned { .. } => (Level::Info, format!("[emperor] vassal {name} has been spawned")),
        News::Accepting { .. } => {
            (Level::Info, format!("[emperor] vassal {name} is ready to accept requests"))
        }
        News::Loyal { .. } => (Level::Info, format!("[emperor] vassal {name} is now loyal")),
        News::Reloading { .. } => (Level::Info, format!("[emperor] reload the uwsgi instance {name}")),
        News::Stopping { reason, .. } => {
            (Level::Info, format!("[emperor] stop the uwsgi instance {name} ({reason})"))
        }
        News::Killing { reason, .. } => {
            (Level::Warn, format!("killed with everything in its jail: {reason}"))
        }
        News::Exited { exit, expected: true, .. } => (Level::Info, format!("ended ({})", exit.words())),
        News::Exited { exit, expected: false, .. } => (Level::Warn, format!("died ({})", exit.words())),
        News::Listening { address } => (
            Level::Info,
            format!(
                "[uwsgi-emperor] {name} -> \"on demand\" instance detected, waiting for connections on socket \"{address}\""
            ),
        ),
        News::BackOnDemand => (
            Level::Info,
            format!("[uwsgi-emperor] {name} -> back to \"on demand\" mode, waiting for connections"),
        ),
        News::Unlistened => (Level::Info, "not on demand any more".to_owned()),
        News::Remembered => (
            Level::Info,
            format!("[uwsgi-emperor] {name} -> updated configuration for \"on demand\" instance"),
        ),
        News::Removed => (Level::Info, format!("[emperor] removed uwsgi instance {name}")),
        News::Reinforced { number } => (
            Level::Info,
            format!("[emperor] going in broodlord mode: launching zergs for {name} (number {number})"),
        ),
        News::Suspended => (Level::Info, "waits for `liege start`, or the command `spawn`".to_owned()),
        other => trouble(name, other, now),
    }
}

/// Only who dies again without having been loyal is a bad one; others may just end too often.
fn throttled(name: &str, times: u32, wait_ms: u64) -> String {
    let next = format!("next start in {}.{:03} s", wait_ms / 1_000, wait_ms % 1_000);
    if times < 2 {
        return format!("ends often; {next}");
    }
    format!(
        "[emperor] unloyal bad behaving vassal found: {name} throttling it... ({times} deaths in a row; {next})"
    )
}

fn trouble(name: &str, news: &News, now: Moment) -> (Level, String) {
    let text = match news {
        News::Refused { reason } => format!("refused: {reason}"),
        News::Unanswered { .. } => {
            "has not answered the reload in time, and may go on with the config that it had".to_owned()
        }
        News::Kept { reason } => format!("its new config is not used: {reason}"),
        News::Troubled { reason } => format!("says: {reason}"),
        News::Misaddressed { reason } => format!("listens where it did: {reason}"),
        News::SpawnFailed { reason } => format!("cannot be started: {reason}"),
        News::Throttled { until, times, .. } => throttled(name, *times, until.ms_since(now)),
        News::Resting { reason } => format!("not started again: {reason}"),
        News::OwnerChanged { from, to } => format!(
            "!!! permissions of file {name} changed. stopping the instance... !!! ({}:{} -> {}:{})",
            from.uid, from.gid, to.uid, to.gid
        ),
        News::TooMany { owner, max } => {
            format!("refused: uid {} has {max} vassals already (emperor-tenant-max)", owner.uid)
        }
        _ => String::new(),
    };
    (Level::Warn, text)
}

/// Says one thing about one source.
pub fn note(note: &Note) {
    let (level, text) = match &note.what {
        SourceNews::Lost(reason) => (Level::Warn, format!("cannot be read: {reason}; its vassals go on")),
        SourceNews::Missing(reason) => (Level::Warn, format!("cannot be read: {reason}; it is waited for")),
        SourceNews::Back => (Level::Info, "can be read again".to_owned()),
        SourceNews::Polled(reason) => (Level::Info, format!("is polled (emperor-freq): {reason}")),
        SourceNews::TooMany => {
            (Level::Warn, "has more configs than can be minded; the rest is ignored".to_owned())
        }
    };
    log::line(level, &[("source", &note.path)], &text);
}
