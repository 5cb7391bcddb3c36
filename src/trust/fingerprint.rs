//! Pure. What a change of a config is judged by.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::emperor::event::Fingerprint;

/// Which inode, and when it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// Device, as major and minor number.
    pub device: (u32, u32),
    /// Inode number.
    pub inode: u64,
    /// Modification time: seconds and nanoseconds.
    pub mtime: (i64, u32),
}

/// A link: its inode and where it points.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LinkIdentity {
    /// Its own inode.
    pub own: Identity,
    /// Its text.
    pub text: Vec<u8>,
}

/// Of a file that was read, and of the link that led to it.
///
/// The hash has fixed keys: the Emperor and the spawner, which are one binary, must come to the same number. Who can
/// find two texts with one number spoils only the reload of his own config.
pub fn of_content(link: Option<&LinkIdentity>, file: &Identity, content: &[u8]) -> Fingerprint {
    hash(&("content", link, file, content))
}

/// Of a link that is a config of its own (`emperor-nofollow`): whatever happens behind it is no change.
pub fn of_link(link: &LinkIdentity) -> Fingerprint {
    hash(&("link", link))
}

/// Of something refused: the same as long as it stays what it is and the reason stays.
pub fn of_refused(
    name: &[u8],
    link: Option<&LinkIdentity>,
    file: Option<&Identity>,
    reason: &str,
) -> Fingerprint {
    hash(&("refused", name, link, file, reason))
}

fn hash(value: &impl Hash) -> Fingerprint {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    Fingerprint(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: Identity = Identity { device: (8, 1), inode: 42, mtime: (1_700_000_000, 5) };

    #[test]
    fn every_difference_counts_in_either_direction() {
        let same = of_content(None, &FILE, b"[uwsgi]");
        let link = LinkIdentity { own: FILE, text: b"app.skel".to_vec() };
        assert_eq!(same, of_content(None, &FILE.clone(), b"[uwsgi]"));
        for other in [
            of_content(None, &FILE, b"[uwsgI]"),
            of_content(None, &Identity { inode: 43, ..FILE }, b"[uwsgi]"),
            of_content(None, &Identity { device: (8, 2), ..FILE }, b"[uwsgi]"),
            of_content(None, &Identity { mtime: (1_700_000_000, 4), ..FILE }, b"[uwsgi]"),
            of_content(None, &Identity { mtime: (1_600_000_000, 5), ..FILE }, b"[uwsgi]"),
            of_content(Some(&link), &FILE, b"[uwsgi]"),
            of_link(&link),
            of_refused(b"x.ini", None, Some(&FILE), "a FIFO"),
        ] {
            assert_ne!(other, same);
        }
    }

    #[test]
    fn a_link_changes_with_its_time_and_its_text_only() {
        let link = LinkIdentity { own: FILE, text: b"app.skel".to_vec() };
        let touched = LinkIdentity { own: Identity { mtime: (1_700_000_000, 6), ..FILE }, ..link.clone() };
        let turned = LinkIdentity { text: b"other.skel".to_vec(), ..link.clone() };
        assert_eq!(of_link(&link), of_link(&link.clone()));
        assert_ne!(of_link(&link), of_link(&touched));
        assert_ne!(of_link(&link), of_link(&turned));
    }
}
