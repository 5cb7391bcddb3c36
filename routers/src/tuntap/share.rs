//! Pure. How much of what there is for all one user may have.

/// Whether a user who has so many of something may have one more, while so many are left: never more than he leaves to others. Root may
/// have all.
pub(super) fn may_have_one_more(uid: u32, his: usize, left: usize) -> bool {
    left > 0 && (uid == 0 || his < left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row W2.
    #[test]
    fn nobody_takes_the_last_who_has_had_his() {
        let mut left = 253;
        for (uid, his) in [(1001, 127), (1002, 63), (1003, 32), (1004, 16)] {
            let had = (0..).find(|had| !may_have_one_more(uid, *had, left - had)).unwrap();
            assert_eq!(had, his);
            left -= had;
        }
        assert!(may_have_one_more(1005, 0, 1) && !may_have_one_more(1005, 1, 1));
        assert!(may_have_one_more(0, 100, 1) && !may_have_one_more(0, 0, 0));
    }
}
