//! Pure. Whose turn it is among owners who wait for a place: nobody fills all places, as whoever has the fewest comes first.

/// The place in the queue of who begins next. Each who waits is given by the uid of its owner; `under_way` says how many of
/// an owner's have begun, of whom there may be `owner_max`.
pub fn next(
    waiting: impl Iterator<Item = u32>,
    under_way: impl Fn(u32) -> usize,
    owner_max: usize,
) -> Option<usize> {
    let counted = waiting.enumerate().map(|(place, uid)| (place, under_way(uid)));
    counted.filter(|(_, count)| *count < owner_max).min_by_key(|(_, count)| *count).map(|(place, _)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(waiting: &[u32], under_way: &[u32]) -> Option<usize> {
        next(waiting.iter().copied(), |uid| under_way.iter().filter(|one| **one == uid).count(), 2)
    }

    #[test]
    fn whoever_has_the_fewest_comes_first_and_then_whoever_came_first() {
        assert_eq!(chosen(&[1, 1, 2], &[]), Some(0));
        assert_eq!(chosen(&[1, 1, 2], &[1]), Some(2));
        assert_eq!(chosen(&[1, 1, 2], &[1, 2]), Some(0));
    }

    #[test]
    fn who_has_as_many_as_he_may_have_waits_and_holds_up_nobody() {
        assert_eq!(chosen(&[1, 1, 1, 2], &[1, 1]), Some(3));
        assert_eq!(chosen(&[1, 2], &[1, 1, 2, 2]), None);
        assert_eq!(chosen(&[], &[]), None);
    }
}
