//! Texts that vassals were given with reloads, as long as the next process of one may need the last good one: its file may be wrong
//! by the time that it is read again.
//!
//! They never leave this process but to a vassal, so nobody else can say what was in a config; and nobody gets one whose file has
//! another owner by then, or is trusted less or more than the one that was read.

use std::collections::btree_map::{BTreeMap, Entry};
use std::os::fd::{BorrowedFd, OwnedFd};

use super::court::Court;
use super::lend::{self, Lent};
use super::push;
use super::summons::Summons;
use crate::emperor::event::{Digest, Owner};
use crate::trust::{Examined, Reach, Trust};

/// Most texts of one vassal: the one that it goes on with, and the newest.
const TEXTS_MAX: usize = 4;
/// A longer text is not held.
const LENGTH_MAX: usize = 64 << 10;
/// What the texts of one owner may take, in bytes: so he does not fill our memory by having all of his reload at once.
const OWNER_MAX: usize = 2 << 20;

/// All of them, the oldest of each vassal first.
#[derive(Debug, Default)]
pub(super) struct Held {
    of: BTreeMap<u32, Vec<Text>>,
    /// What those of an owner take, in bytes.
    bytes: BTreeMap<u32, usize>,
}

#[derive(Debug)]
struct Text {
    digest: Digest,
    owner: Owner,
    trust: Trust,
    content: Vec<u8>,
    /// A process of its vassal has taken it.
    taken: bool,
}

impl Held {
    /// Of a vassal that is told to reload now. The oldest stays: it may be the one that is taken.
    fn add(&mut self, id: u32, config: &Examined) {
        let (owner, length) = (config.owner, config.content.len());
        let held = self.bytes.get(&owner.uid).copied().unwrap_or(0);
        if length > LENGTH_MAX || held + length > OWNER_MAX {
            return;
        }
        let digest = Digest::of(&config.content);
        let texts = self.of.entry(id).or_default();
        if texts.iter().any(|text| text.digest == digest && (text.owner, text.trust) == (owner, config.trust))
        {
            return;
        }
        let one_less = (texts.len() >= TEXTS_MAX).then(|| texts.remove(1));
        let content = config.content.clone();
        texts.push(Text { digest, owner, trust: config.trust, content, taken: false });
        *self.bytes.entry(owner.uid).or_default() += length;
        self.account_without(one_less);
    }

    fn account_without(&mut self, gone: impl IntoIterator<Item = Text>) {
        for text in gone {
            if let Entry::Occupied(mut bytes) = self.bytes.entry(text.owner.uid) {
                *bytes.get_mut() -= text.content.len();
                if *bytes.get() == 0 {
                    bytes.remove();
                }
            }
        }
    }

    /// This one was taken by its vassal; those before it are of no use any more.
    pub(super) fn keep(&mut self, id: u32, digest: Option<Digest>) {
        let Some(digest) = digest else {
            let gone = self.of.remove(&id);
            return self.account_without(gone.into_iter().flatten());
        };
        let Some(texts) = self.of.get_mut(&id) else { return };
        let Some(first) = texts.iter().position(|text| text.digest == digest) else { return };
        let gone: Vec<Text> = texts.drain(..first).collect();
        texts.first_mut().into_iter().for_each(|text| text.taken = true);
        self.account_without(gone);
    }

    /// What a process of this vassal may go on with where this config is wrong: a text of the same owner, trusted as much.
    pub(super) fn taken_by(&self, id: u32, config: &Examined) -> Option<&[u8]> {
        let text = self.of.get(&id)?.first().filter(|text| text.taken)?;
        let same = (text.owner, text.trust) == (config.owner, config.trust);
        (same && text.digest != Digest::of(&config.content)).then_some(&*text.content)
    }
}

impl Court {
    /// Looks at the config of a vassal that is told to reload.
    pub(super) fn renew(&mut self, id: u32, directory: BorrowedFd<'_>, file: &str) -> Lent {
        let found = lend::examine(&self.charter, Reach::Near(&self.mounts), directory, file);
        if let Ok(Ok(config)) = &found {
            self.held.add(id, config);
        }
        lend::or_errno(found.and_then(|found| lend::shown(found, true)))
    }

    /// The text that its process before has taken, sealed, where its config is another one by now. Whoever is made by another
    /// program is not ours to be given more than that knows of.
    ///
    /// # Errors
    /// A sentence.
    pub(super) fn accepted(
        &self,
        summons: &Summons<'_>,
        config: &Examined,
        is_anothers: bool,
    ) -> Result<Option<OwnedFd>, String> {
        if is_anothers || summons.zerg.is_some() {
            return Ok(None);
        }
        let sealed = self.held.taken_by(summons.ticket.id, config).map(push::sealed).transpose();
        sealed.map_err(|error| format!("cannot hand over its config: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::emperor::event::{Fingerprint, Sight};

    const ALICE: Owner = Owner { uid: 1000, gid: 1000 };
    const ROOT: Owner = Owner { uid: 0, gid: 0 };

    fn config(text: &str, owner: Owner, trust: Trust) -> Examined {
        let sight = Sight { fingerprint: Fingerprint(1), owner, mtime_s: 0, refusal: None };
        let file = tempfile::tempfile().expect("a file").into();
        Examined { file, content: text.into(), owner, trust, sight, targets: Vec::new() }
    }

    fn of_alice(text: &str) -> Examined {
        config(text, ALICE, Trust::Tenant(ALICE))
    }

    fn digest(text: &str) -> Option<Digest> {
        Some(Digest::of(text.as_bytes()))
    }

    #[test]
    fn what_was_taken_is_there_for_the_next_process_of_its_vassal_alone() {
        let mut held = Held::default();
        ["old", "good", "bad"].iter().for_each(|text| held.add(7, &of_alice(text)));
        assert_eq!(held.taken_by(7, &of_alice("bad")), None, "nobody has taken any of them");
        held.keep(7, digest("good"));
        assert_eq!(held.taken_by(7, &of_alice("worse")), Some(b"good".as_slice()));
        assert_eq!(held.taken_by(8, &of_alice("worse")), None);
        assert_eq!(held.taken_by(7, &of_alice("good")), None, "it is what it reads anyhow");
        held.keep(7, None);
        assert!(
            held.taken_by(7, &of_alice("worse")).is_none() && held.of.is_empty() && held.bytes.is_empty()
        );
    }

    /// Or a tenant's text would be read with the rights of root's.
    #[test]
    fn a_text_of_another_owner_or_of_less_trust_is_not_gone_on_with() {
        let mut held = Held::default();
        held.add(7, &of_alice("good"));
        held.keep(7, digest("good"));
        for (owner, trust) in [
            (ROOT, Trust::Trusted),
            (ALICE, Trust::Trusted),
            (ROOT, Trust::Tenant(ROOT)),
            (ROOT, Trust::Tenant(ALICE)),
        ] {
            assert_eq!(held.taken_by(7, &config("bad", owner, trust)), None, "{owner:?} {trust:?}");
        }
    }

    #[test]
    fn what_is_held_is_bounded() {
        let mut held = Held::default();
        held.add(7, &of_alice("good"));
        held.keep(7, digest("good"));
        (0..100).for_each(|number| held.add(7, &of_alice(&format!("bad {number}"))));
        assert_eq!(
            (held.of[&7].len(), held.taken_by(7, &of_alice("worse"))),
            (TEXTS_MAX, Some(b"good".as_slice()))
        );
        held.add(8, &of_alice(&"x".repeat(LENGTH_MAX + 1)));
        assert!(!held.of.contains_key(&8));
        let long = "x".repeat(LENGTH_MAX);
        (100..300).for_each(|id| held.add(id, &of_alice(&long)));
        let texts = held.of.values().flatten().map(|text| text.content.len());
        assert_eq!(held.bytes[&ALICE.uid], texts.sum::<usize>());
        assert!(held.bytes[&ALICE.uid] <= OWNER_MAX);
        held.add(9, &config(&long, ROOT, Trust::Trusted));
        assert!(held.of.contains_key(&9), "he has filled no more than his own part");
    }
}
