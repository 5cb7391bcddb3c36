//! Pure. Whether a deed has come to its end with one vassal: from how it stood at first, and how it stands now.

use crate::control::wish::{Deed, Standing};

/// What is to be thought of a vassal now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More will happen.
    Wait,
    /// It is so if nothing else happens for a while: this program may not say when it is ready.
    Settles(Fate),
    /// It is so if it has not ended at once: a program without `ready` counts as ready as soon as it runs.
    Lives(Fate),
    /// It is over.
    Is(Fate),
}

/// How a deed has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Well.
    Done(&'static str),
    /// There was nothing to do.
    Already(&'static str),
    /// It was not done.
    Failed(String),
    /// It was to run, and does not.
    Down(String),
}

/// What has become of a deed after it was told.
pub fn judge(deed: Deed, first: &Standing, now: &Standing) -> Verdict {
    match deed {
        Deed::Look => Verdict::Is(Fate::Done("seen")),
        Deed::Signal(_) => Verdict::Is(Fate::Done("signalled")),
        _ if first.is_daemon => judge_daemon(deed, first, now),
        Deed::Start if runs(first) && now.attempt == first.attempt => {
            Verdict::Is(Fate::Already("already started"))
        }
        Deed::Start => started(first, now),
        Deed::Restart if is_first(first, now) && !ends(&now.state) => Verdict::Wait,
        Deed::Restart => called(started(first, now), "restarted"),
        Deed::Stop => stopped(first, now),
        Deed::Disable if first.disabled => Verdict::Is(Fate::Already("already disabled")),
        Deed::Disable => match stopped(first, now) {
            Verdict::Is(_) => Verdict::Is(Fate::Done("disabled")),
            other => other,
        },
        // Its owner is enabled, and it was stopped itself.
        Deed::Enable if now.suspended && !now.disabled => {
            Verdict::Is(Fate::Done("enabled, and waits for `liege start`"))
        }
        Deed::Enable if !first.disabled && runs(first) => Verdict::Is(Fate::Already("already enabled")),
        Deed::Enable => called(started(first, now), "enabled"),
        Deed::Reload => reloaded(first, now),
    }
}

/// A start that is part of another deed is called by its word.
fn called(start: Verdict, word: &'static str) -> Verdict {
    match start {
        Verdict::Settles(_) => Verdict::Settles(Fate::Done(word)),
        Verdict::Lives(_) => Verdict::Lives(Fate::Done(word)),
        other => other,
    }
}

/// Its vassal is told at once; what comes of it is told by that, later.
fn judge_daemon(deed: Deed, first: &Standing, now: &Standing) -> Verdict {
    let tried = now.attempt > first.attempt;
    match (deed, now.state.as_str()) {
        (Deed::Start, "running") if first.state == "running" => Verdict::Is(Fate::Already("already started")),
        (Deed::Start, "running") => Verdict::Is(Fate::Done("started")),
        (Deed::Restart, "running") if tried => Verdict::Is(Fate::Done("restarted")),
        (Deed::Start | Deed::Restart, "throttled") if tried => {
            Verdict::Is(Fate::Down(format!("throttled: `liege why {}` tells more", now.name)))
        }
        (Deed::Stop, "stopped") if first.state == "stopped" => Verdict::Is(Fate::Already("not running")),
        (Deed::Stop, "stopped") => Verdict::Is(Fate::Done("stopped")),
        (Deed::Start | Deed::Restart | Deed::Stop, _) => Verdict::Wait,
        _ => Verdict::Is(Fate::Done("told")),
    }
}

/// The process that ran at first still runs.
fn is_first(first: &Standing, now: &Standing) -> bool {
    runs(first) && now.attempt == first.attempt && runs(now)
}

fn runs(one: &Standing) -> bool {
    matches!(one.state.as_str(), "running" | "reloading")
}

fn ends(state: &str) -> bool {
    matches!(state, "stopping" | "killed")
}

fn started(first: &Standing, now: &Standing) -> Verdict {
    let tried = now.attempt > first.attempt;
    match now.state.as_str() {
        "running" | "reloading" if now.ready => Verdict::Lives(Fate::Done("started")),
        "running" | "reloading" if now.foreign => Verdict::Settles(Fate::Done("started")),
        "running" | "reloading" => Verdict::Wait,
        "queued" | "starting" | "stepping" | "stopping" | "killed" => Verdict::Wait,
        "on-demand" if tried || first.state != "on-demand" => {
            Verdict::Is(Fate::Done("waits for a connection"))
        }
        "on-demand" => Verdict::Wait,
        "throttled" if !tried => Verdict::Wait,
        _ => Verdict::Is(Fate::Down(why(now))),
    }
}

fn stopped(first: &Standing, now: &Standing) -> Verdict {
    match now.state.as_str() {
        "queued" | "starting" | "stepping" | "running" | "reloading" | "stopping" | "killed"
        | "throttled" => Verdict::Wait,
        _ => match first.state.as_str() {
            "suspended" | "disabled" | "stopped" | "exiled" | "refused" | "too-many" | "ended" => {
                Verdict::Is(Fate::Already("not running"))
            }
            _ => Verdict::Is(Fate::Done("stopped")),
        },
    }
}

fn reloaded(first: &Standing, now: &Standing) -> Verdict {
    let told = now.reloads > first.reloads || now.attempt > first.attempt;
    match now.state.as_str() {
        "queued" | "on-demand" if !told => Verdict::Is(Fate::Already("reads its config when it starts")),
        "queued" | "starting" | "stepping" | "reloading" | "stopping" | "killed" => Verdict::Wait,
        "running" if !told => Verdict::Wait,
        "running" if now.keeps => Verdict::Is(Fate::Failed(now.note.clone())),
        "running" if now.ready => Verdict::Is(Fate::Done("reloaded")),
        "running" if now.attempt == first.attempt && !now.answered => {
            Verdict::Is(Fate::Failed("it has not answered, and goes on with the config that it had".into()))
        }
        "running" if now.foreign => Verdict::Settles(Fate::Done("reloaded")),
        "running" => Verdict::Wait,
        "on-demand" => Verdict::Is(Fate::Done("waits for a connection")),
        // Whoever is stopped on purpose reads its config when it is started.
        "suspended" | "disabled" => Verdict::Is(Fate::Already("not running")),
        _ => Verdict::Is(Fate::Down(why(now))),
    }
}

/// Why it does not run.
fn why(now: &Standing) -> String {
    if now.note.is_empty() { now.state.clone() } else { format!("{}: {}", now.state, now.note) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(state: &str, attempt: u32) -> Standing {
        let ready = state == "running";
        Standing { name: "shop.ini".into(), state: state.into(), attempt, ready, ..Standing::default() }
    }

    fn fate(deed: Deed, first: &Standing, now: &Standing) -> Option<Fate> {
        match judge(deed, first, now) {
            Verdict::Is(fate) | Verdict::Lives(fate) => Some(fate),
            Verdict::Wait | Verdict::Settles(_) => None,
        }
    }

    #[test]
    fn a_start_is_over_when_the_vassal_is_ready_or_has_failed() {
        let first = standing("suspended", 1);
        for state in ["queued", "starting", "stepping"] {
            assert_eq!(fate(Deed::Start, &first, &standing(state, 2)), None);
        }
        assert_eq!(fate(Deed::Start, &first, &standing("running", 2)), Some(Fate::Done("started")));
        let begins = Standing { ready: false, ..standing("running", 2) };
        assert_eq!(judge(Deed::Start, &first, &begins), Verdict::Wait, "it is to say that it is ready");
        let mute = Standing { foreign: true, ..begins };
        for (deed, word) in
            [(Deed::Start, "started"), (Deed::Restart, "restarted"), (Deed::Enable, "enabled")]
        {
            assert_eq!(judge(deed, &first, &mute), Verdict::Settles(Fate::Done(word)));
        }
        assert_eq!(fate(Deed::Start, &first, &standing("throttled", 1)), None, "its ration");
        assert_eq!(
            fate(Deed::Start, &first, &standing("throttled", 2)),
            Some(Fate::Down("throttled".into()))
        );
        let runs = standing("running", 1);
        assert_eq!(fate(Deed::Start, &runs, &runs), Some(Fate::Already("already started")));
    }

    #[test]
    fn a_restart_is_over_when_another_process_runs() {
        let first = standing("running", 1);
        for now in [standing("running", 1), standing("stopping", 1), standing("throttled", 1)] {
            assert_eq!(fate(Deed::Restart, &first, &now), None);
        }
        assert_eq!(fate(Deed::Restart, &first, &standing("running", 2)), Some(Fate::Done("restarted")));
        assert_eq!(
            fate(Deed::Restart, &standing("suspended", 1), &standing("running", 2)),
            Some(Fate::Done("restarted"))
        );
    }

    #[test]
    fn a_daemon_is_waited_for_as_its_vassal_tells_of_it() {
        let daemon = |state: &str, attempt| Standing { is_daemon: true, ..standing(state, attempt) };
        let (on, off) = (daemon("running", 1), daemon("stopped", 1));
        assert_eq!(fate(Deed::Start, &off, &off), None, "it has not heard yet");
        assert_eq!(fate(Deed::Start, &off, &daemon("running", 2)), Some(Fate::Done("started")));
        let held_back = fate(Deed::Start, &off, &daemon("throttled", 2));
        assert_eq!(held_back, Some(Fate::Down("throttled: `liege why shop.ini` tells more".into())));
        assert_eq!(fate(Deed::Start, &on, &on), Some(Fate::Already("already started")));
        assert_eq!(fate(Deed::Restart, &on, &on), None);
        assert_eq!(fate(Deed::Restart, &on, &daemon("running", 2)), Some(Fate::Done("restarted")));
        assert_eq!([&on, &off].map(|now| fate(Deed::Stop, &on, now)), [None, Some(Fate::Done("stopped"))]);
        assert_eq!(fate(Deed::Stop, &off, &off), Some(Fate::Already("not running")));
        assert_eq!(fate(Deed::Reload, &on, &on), Some(Fate::Done("told")));
    }

    #[test]
    fn what_was_stopped_itself_is_not_waited_for_when_its_owner_is_enabled() {
        let first = Standing { suspended: true, disabled: true, ..standing("disabled", 1) };
        let stopped = Standing { suspended: true, ..standing("suspended", 1) };
        let waits = Fate::Done("enabled, and waits for `liege start`");
        assert_eq!(fate(Deed::Enable, &first, &stopped), Some(waits));
        assert_eq!(fate(Deed::Enable, &first, &standing("running", 2)), Some(Fate::Done("enabled")));
        assert!(matches!(fate(Deed::Enable, &first, &first), Some(Fate::Down(_))), "it is disabled itself");
    }

    #[test]
    fn a_stop_is_over_when_there_is_no_process() {
        let first = standing("running", 1);
        for state in ["running", "stopping", "killed", "starting"] {
            assert_eq!(fate(Deed::Stop, &first, &standing(state, 1)), None);
        }
        let over = standing("suspended", 1);
        assert_eq!(fate(Deed::Stop, &first, &over), Some(Fate::Done("stopped")));
        assert_eq!(fate(Deed::Stop, &standing("throttled", 1), &over), Some(Fate::Done("stopped")));
        assert_eq!(fate(Deed::Stop, &over, &over), Some(Fate::Already("not running")));
    }

    #[test]
    fn a_reload_is_over_when_it_was_told_and_answered() {
        let first = standing("running", 1);
        let told = |one: Standing| Standing { reloads: 1, ..one };
        assert_eq!(fate(Deed::Reload, &first, &first), None, "put off");
        assert_eq!(fate(Deed::Reload, &first, &told(standing("reloading", 1))), None);
        assert_eq!(fate(Deed::Reload, &first, &told(standing("running", 1))), Some(Fate::Done("reloaded")));
        assert_eq!(fate(Deed::Reload, &first, &standing("running", 2)), Some(Fate::Done("reloaded")));
        let kept = Standing { note: "its new config is not used: x".into(), keeps: true, ..first.clone() };
        assert_eq!(fate(Deed::Reload, &kept, &kept), None, "that was before");
        let again = told(kept.clone());
        for first in [&first, &kept] {
            assert_eq!(fate(Deed::Reload, first, &again), Some(Fate::Failed(kept.note.clone())));
        }
        let mute = told(Standing { ready: false, ..standing("running", 1) });
        assert!(matches!(fate(Deed::Reload, &first, &mute), Some(Fate::Failed(_))));
        let answered = Standing { answered: true, ..mute };
        assert_eq!(judge(Deed::Reload, &first, &answered), Verdict::Wait);
        let foreign = Standing { foreign: true, ..answered };
        assert_eq!(judge(Deed::Reload, &first, &foreign), Verdict::Settles(Fate::Done("reloaded")));
        for state in ["suspended", "disabled"] {
            let off = standing(state, 1);
            assert_eq!(fate(Deed::Reload, &off, &off), Some(Fate::Already("not running")));
        }
        let held_back = standing("throttled", 1);
        assert!(matches!(fate(Deed::Reload, &held_back, &held_back), Some(Fate::Down(_))));
    }
}
