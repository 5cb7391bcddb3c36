//! Pure. What an option of uWSGI can belong to.

/// A part of uWSGI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The word for it in `uwsgi.txt`.
    pub word: &'static str,
    /// Who reads its options.
    pub reader: Reader,
    /// What its options are about.
    pub about: &'static str,
}

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Our Emperor or vassal master.
    Liege,
    /// The application server: a vassal with such an option is run by the `uwsgi` binary.
    Uwsgi,
}

/// Every part, ours first.
pub static PARTS: &[Part] = &[
    ours("language", "how configs are read"),
    ours("emperor", "the Emperor, or what it makes of its vassals"),
    ours("vassal", "identity and program of a vassal"),
    ours("jail", "the jail of a vassal and its limits"),
    ours("hooks", "programs and actions at a phase"),
    ours("daemons", "programs beside the main one"),
    ours("logs", "where output goes"),
    ours("zerg", "sockets shared with other instances"),
    ours("subscription", "announcing to routers"),
    ours("tuntap", "the network of jails"),
    ours("forkpty", "terminals"),
    uwsgis("alarms", "alarms"),
    uwsgis("cache", "caches and queues"),
    uwsgis("cgi", "the CGI plugin"),
    uwsgis("core", "applications and requests"),
    uwsgis("cron", "timed commands"),
    uwsgis("go", "the Go plugin"),
    uwsgis("http", "the HTTP router"),
    uwsgis("java", "the JVM plugins"),
    uwsgis("legion", "clusters"),
    uwsgis("logging", "logs of requests"),
    uwsgis("lua", "the Lua plugin"),
    uwsgis("metrics", "metrics"),
    uwsgis("mono", "the Mono plugin"),
    uwsgis("perl", "the Perl plugins"),
    uwsgis("php", "the PHP plugin"),
    uwsgis("plugins", "plugins and libraries"),
    uwsgis("python", "the Python plugins"),
    uwsgis("reload", "reloading of workers"),
    uwsgis("routers", "routers other than HTTP"),
    uwsgis("routing", "rules for requests"),
    uwsgis("ruby", "the Ruby plugins"),
    uwsgis("signals", "signals, timers and mules"),
    uwsgis("sockets", "sockets for requests"),
    uwsgis("spooler", "the spooler"),
    uwsgis("ssl", "TLS"),
    uwsgis("static", "static files"),
    uwsgis("stats", "statistics of workers"),
    uwsgis("storage", "databases and file stores"),
    uwsgis("subscriptions", "subscriptions to routers"),
    uwsgis("v8", "the V8 plugin"),
    uwsgis("webdav", "the WebDAV plugin"),
    uwsgis("workers", "workers, threads and requests"),
    uwsgis("xslt", "the XSLT plugin"),
];

const fn ours(word: &'static str, about: &'static str) -> Part {
    Part { word, reader: Reader::Liege, about }
}

const fn uwsgis(word: &'static str, about: &'static str) -> Part {
    Part { word, reader: Reader::Uwsgi, about }
}

impl Part {
    /// The part of this word.
    pub fn named(word: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.word == word)
    }
}
