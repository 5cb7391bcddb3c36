//! Pure. How often users ask: each has a ration of his own, and all of them together one more, of which a part is left to those who
//! have a peer. Users are cheap to whoever is root of a user namespace, peers are not.

use std::collections::BTreeMap;

use crate::ration::Ration;

/// Questions of one user: at once, and then one each so many milliseconds.
const OF_USER: (u64, u64) = (20, 1000);
/// Questions of all: each looks at all peers.
const OF_ALL: (u64, u64) = (100, 10);
/// Of those, what nobody gets who has no peer.
const LEFT: u64 = OF_ALL.0 / 2;
/// How often whoever has all of his ration is forgotten.
const FORGET_MS: u64 = 1000;

/// How often was asked.
#[derive(Debug)]
pub(super) struct Asked {
    of_all: Ration,
    of_users: BTreeMap<u32, Ration>,
    forgot_ms: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self { of_all: Ration::new(OF_ALL.0, OF_ALL.1), of_users: BTreeMap::new(), forgot_ms: 0 }
    }
}

impl Asked {
    /// Whether this user may ask now.
    pub(super) fn take(&mut self, uid: u32, has_peer: bool, now_ms: u64) -> bool {
        self.forget(now_ms);
        let left = if has_peer { 0 } else { LEFT };
        let his = self.of_users.get(&uid).copied();
        let mut his = his.unwrap_or_else(|| Ration::new(OF_USER.0, OF_USER.1));
        if self.of_all.there(now_ms) <= left || !his.take(now_ms) {
            return false;
        }
        self.of_users.insert(uid, his);
        self.of_all.take(now_ms)
    }

    /// Only who was answered is remembered: no more of them than the ration of all lets through.
    fn forget(&mut self, now_ms: u64) {
        if now_ms.saturating_sub(self.forgot_ms) >= FORGET_MS {
            self.forgot_ms = now_ms;
            self.of_users.retain(|_, his| his.there(now_ms) < OF_USER.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many questions are answered at this moment.
    fn answered(asked: &mut Asked, (uid, has_peer): (u32, bool), now_ms: u64) -> usize {
        (0..1000).filter(|_| asked.take(uid, has_peer, now_ms)).count()
    }

    /// Row W6.
    #[test]
    fn one_who_asks_all_the_time_takes_no_answer_from_others() {
        let mut asked = Asked::default();
        assert_eq!(answered(&mut asked, (7, true), 5000), 20);
        assert_eq!(answered(&mut asked, (8, true), 5000), 20);
        let later = (5000..65_000).filter(|ms| asked.take(7, true, *ms)).count();
        assert_eq!(later, 59, "one a second");
        assert!(asked.take(9, false, 65_000));
    }

    /// Row W6.
    #[test]
    fn many_users_without_a_peer_leave_something_to_those_who_have_one() {
        let mut asked = Asked::default();
        let crowd = (0..5000).filter(|uid| asked.take(100_000 + uid, false, 5000)).count();
        assert_eq!(crowd, 50);
        assert_eq!(answered(&mut asked, (7, true), 5000), 20);
        for ms in 5000..15_000 {
            (0..10)
                .for_each(|uid| _ = asked.take(200_000 + 10 * u32::try_from(ms).unwrap() + uid, false, ms));
        }
        assert!(asked.take(8, true, 15_000));
    }

    #[test]
    fn whoever_has_all_of_his_ration_is_forgotten() {
        let mut asked = Asked::default();
        for ms in 0..60_000 {
            asked.take(u32::try_from(ms).unwrap(), true, ms);
        }
        assert!(asked.of_users.len() <= 300, "{}", asked.of_users.len());
        asked.take(7, true, 100_000);
        assert_eq!(asked.of_users.len(), 1);
    }
}
