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
    /// Debian's package of the plugin that has them, where it is one.
    pub package: Option<&'static str>,
}

/// Who reads an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// Our Emperor or vassal master.
    Liege,
    /// The application server: a vassal with such an option is run by the `uwsgi` binary.
    Uwsgi,
}

/// Bytes of a plugin's name that say something.
const SHORTEST_PLUGIN: usize = 3;

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
    plugins("go", "the Go plugin", "uwsgi-plugin-gccgo"),
    uwsgis("http", "the HTTP router"),
    plugins("java", "the JVM plugins", "uwsgi-plugin-jvm-openjdk-17"),
    uwsgis("legion", "clusters"),
    uwsgis("logging", "logs of requests"),
    plugins("lua", "the Lua plugin", "uwsgi-plugin-lua5.1"),
    uwsgis("metrics", "metrics"),
    plugins("mono", "the Mono plugin", "uwsgi-plugin-mono"),
    plugins("perl", "the Perl plugins", "uwsgi-plugin-psgi"),
    plugins("php", "the PHP plugin", "uwsgi-plugin-php"),
    uwsgis("plugins", "plugins and libraries"),
    plugins("python", "the Python plugins", "uwsgi-plugin-python3"),
    uwsgis("reload", "reloading of workers"),
    uwsgis("routers", "routers other than HTTP"),
    uwsgis("routing", "rules for requests"),
    plugins("ruby", "the Ruby plugins", "uwsgi-plugin-rack-ruby3.1"),
    uwsgis("signals", "signals, timers and mules"),
    uwsgis("sockets", "sockets for requests"),
    uwsgis("spooler", "the spooler"),
    uwsgis("ssl", "TLS"),
    uwsgis("static", "static files"),
    uwsgis("stats", "statistics of workers"),
    uwsgis("storage", "databases and file stores"),
    uwsgis("subscriptions", "subscriptions to routers"),
    uwsgis("v8", "the V8 plugin"),
    plugins("webdav", "the WebDAV plugin", "uwsgi-infrastructure-plugins"),
    uwsgis("workers", "workers, threads and requests"),
    plugins("xslt", "the XSLT plugin", "uwsgi-plugin-xslt"),
];

const fn ours(word: &'static str, about: &'static str) -> Part {
    Part { word, reader: Reader::Liege, about, package: None }
}

const fn uwsgis(word: &'static str, about: &'static str) -> Part {
    Part { word, reader: Reader::Uwsgi, about, package: None }
}

const fn plugins(word: &'static str, about: &'static str, package: &'static str) -> Part {
    Part { word, reader: Reader::Uwsgi, about, package: Some(package) }
}

impl Part {
    /// The part of this word.
    pub fn named(word: &str) -> Option<&'static Self> {
        PARTS.iter().find(|part| part.word == word)
    }

    /// Its package, if that is the one of this plugin.
    pub fn package_of(&self, plugin: &str) -> Option<&'static str> {
        self.package.filter(|package| plugin.len() >= SHORTEST_PLUGIN && package.contains(plugin))
    }
}
