//! Pure. How and where an Emperor shows how its vassals are.

use super::EmperorConfig;

/// How the document is handed out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// `stats-http`: a request is waited for, and a header stands before the document.
    pub http: bool,
    /// `stats-minified`: no blanks and line ends between what says something.
    pub minified: bool,
}

/// There is one document: `stats` is another place for it.
pub(super) fn join(config: &mut EmperorConfig) {
    let more = config.more_stats.take();
    let Some(stats) = &config.stats else {
        config.stats = more;
        return;
    };
    config.more_stats = more.filter(|more| more.value != stats.value);
}
