//! Pure. Words of other programs' configs, and what does here what they do there.

/// Those of supervisord, with what stands here in their stead.
const SUPERVISORD: &[(&[&str], &str)] = &[
    (&["autostart"], "a config runs as soon as it is there; `liege disable NAME` keeps it from that"),
    (
        &["autorestart", "exitcodes"],
        "nothing: what ends is started again, after longer pauses when it fails (`emperor-throttle` of the Emperor)",
    ),
    (&["startsecs"], "`ready = lived:SECONDS`"),
    (
        &["startretries"],
        "nothing gives up: who fails is tried again after longer pauses, `emperor-max-throttle` of the Emperor at most",
    ),
    (&["user"], "`uid = NAME`, with `gid = GROUP` for another group than the user's own"),
    (&["directory"], "`chdir = PATH`"),
    (&["environment"], "`env = NAME=VALUE`, a line for each variable"),
    (&["stdout_logfile", "stderr_logfile", "logfile"], "`logto = FILE`, for standard output and error"),
    (&["redirect_stderr"], "nothing: standard error goes where standard output goes"),
    (&["stdout_logfile_maxbytes", "stderr_logfile_maxbytes", "logfile_maxbytes"], "`log-maxsize = SIZE`"),
    (&["stdout_logfile_backups", "stderr_logfile_backups", "logfile_backups"], "`log-keep = NUMBER`"),
    (&["stdout_syslog", "stderr_syslog"], "`vassals-log = syslog` of the Emperor"),
    (&["childlogdir"], "`vassals-log = dir:DIRECTORY` of the Emperor"),
    (
        &["numprocs", "numprocs_start", "process_name"],
        "a config is one program: make a link to it for each, `%n` is its name; `emperor-broodlord` of the Emperor where they share a socket",
    ),
    (&["priority"], "nothing has its turn: who needs another waits for it by `wait-for-socket` and its like"),
    (&["stopsignal"], "`stop-signal = SIGNAL`"),
    (&["stopwaitsecs"], "`reload-mercy = SECONDS`"),
    (&["stopasgroup", "killasgroup"], "nothing: whatever a vassal has started ends with it"),
    (&["nodaemon"], "nothing: the Emperor stays in the foreground without `daemonize`"),
    (&["minfds"], "`rlimit-nofile = NUMBER`"),
    (&["minprocs"], "`rlimit-nproc = NUMBER`"),
    (
        &[
            "stdout_events_enabled",
            "stderr_events_enabled",
            "stdout_capture_maxbytes",
            "stderr_capture_maxbytes",
        ],
        "nothing takes events from what is written; `liege events` prints those of vassals",
    ),
    (&["serverurl"], "nothing: `liege control` finds the Emperor by itself"),
];

/// What does here what this word does elsewhere; with `-` as with `_`.
pub fn instead(word: &str) -> Option<&'static str> {
    let plain = word.to_ascii_lowercase().replace('-', "_");
    SUPERVISORD.iter().find(|(words, _)| words.contains(&plain.as_str())).map(|(_, here)| *here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::{Standing, standing};

    #[test]
    fn each_word_is_nobodys_here_and_has_one_sentence() {
        let words: Vec<&str> = SUPERVISORD.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        for word in &words {
            assert!(matches!(standing(word), Standing::Unknown), "{word}");
            assert_eq!(words.iter().filter(|other| *other == word).count(), 1, "{word}");
        }
        assert_eq!(instead("Stdout-Logfile"), instead("stderr_logfile"));
        assert_eq!(instead("autostarts"), None);
    }

    #[test]
    fn options_that_are_named_are_there() {
        for (words, here) in SUPERVISORD {
            let named = here.split('`').skip(1).step_by(2).filter_map(|text| text.split(' ').next());
            for name in named.filter(|name| !["liege", "%n"].contains(name)) {
                assert!(matches!(standing(name), Standing::Ours(..)), "{words:?}: {name}");
            }
        }
    }

    #[test]
    fn the_table_in_the_docs_has_them_all() {
        let docs = include_str!("../../docs/control.md");
        for (words, here) in SUPERVISORD {
            let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            let line = format!("| {} | {here} |", words.join(", "));
            assert!(docs.contains(&line), "{line}");
        }
    }
}
