use super::*;
use proptest::prelude::*;

const LOG: u64 = 0;

fn orders(shared: &mut Shared) -> Vec<Order> {
    std::iter::from_fn(|| shared.next_order()).collect()
}

fn take_all(shared: &mut Shared, id: u64) -> Vec<u8> {
    let mut taken = Vec::new();
    while !shared.pending(id).is_empty() {
        let piece = shared.pending(id).to_vec();
        shared.took(id, piece.len());
        taken.extend(piece);
    }
    taken
}

#[test]
fn everybody_gets_what_is_written_from_when_he_came() {
    let mut shared = Shared::default();
    shared.wrote(b"before");
    shared.join(1, Listener::Client);
    shared.wrote(b"for one");
    shared.join(2, Listener::Client);
    shared.wrote(b", for both");
    assert_eq!(take_all(&mut shared, 1), b"for one, for both");
    assert!(!shared.is_taken());
    assert_eq!(take_all(&mut shared, 2), b", for both");
    assert!(shared.is_taken());
}

#[test]
fn without_anybody_the_program_goes_on() {
    let mut shared = Shared::default();
    for _ in 0..10 {
        assert_eq!(shared.room(), KEPT);
        shared.wrote(&vec![b'x'; KEPT]);
    }
    assert_eq!(orders(&mut shared), []);
}

#[test]
fn one_client_is_waited_for_and_loses_nothing() {
    let mut shared = Shared::default();
    shared.join(1, Listener::Client);
    shared.wrote(&vec![b'x'; KEPT]);
    assert_eq!(shared.room(), 0);
    shared.settle(1000);
    assert_eq!(shared.next_deadline(), Some(1000 + PATIENCE_MS));
    shared.took(1, 10);
    shared.settle(2000);
    assert_eq!((shared.room(), shared.next_deadline()), (10, None));
    assert_eq!(orders(&mut shared), []);
}

#[test]
fn one_client_that_takes_nothing_is_let_go_after_a_while() {
    let mut shared = Shared::default();
    shared.join(1, Listener::Client);
    shared.wrote(&vec![b'x'; KEPT]);
    shared.settle(0);
    shared.settle(PATIENCE_MS - 1);
    assert_eq!(orders(&mut shared), []);
    shared.settle(PATIENCE_MS);
    assert_eq!((orders(&mut shared), shared.room()), (vec![Order::LetGo(1)], KEPT));
    assert_eq!(shared.next_deadline(), None);
}

/// Row T8.
#[test]
fn a_slow_client_keeps_nobody_waiting() {
    let mut shared = Shared::default();
    shared.join(1, Listener::Client);
    shared.join(2, Listener::Client);
    for _ in 0..KEPT / 1024 {
        shared.wrote(&[b'x'; 1024]);
        assert_eq!(take_all(&mut shared, 2).len(), 1024);
    }
    assert_eq!((orders(&mut shared), shared.room()), (vec![], KEPT));
    shared.wrote(b"x");
    assert_eq!(orders(&mut shared), [Order::LetGo(1)]);
    assert_eq!(take_all(&mut shared, 2), b"x");
}

#[test]
fn the_log_is_waited_for_beside_the_fastest_client() {
    let mut shared = Shared::default();
    shared.join(LOG, Listener::Log);
    shared.join(1, Listener::Client);
    shared.wrote(&vec![b'x'; KEPT]);
    take_all(&mut shared, 1);
    assert_eq!(shared.room(), 0);
    shared.settle(0);
    shared.settle(PATIENCE_MS);
    assert_eq!(orders(&mut shared), [Order::LeftOut(KEPT as u64)]);
    // Nobody waits for it again before it takes something.
    shared.wrote(&vec![b'y'; KEPT]);
    take_all(&mut shared, 1);
    assert_eq!(shared.room(), KEPT);
    shared.took(LOG, 1);
    assert_eq!(shared.room(), 1);
}

proptest! {
    #[test]
    fn whoever_stays_gets_every_byte_in_order(steps in prop::collection::vec((1usize..100_000, 0usize..100_000, 0usize..100_000), 1..60)) {
        let mut shared = Shared::default();
        shared.join(1, Listener::Client);
        shared.join(2, Listener::Client);
        let (mut next, mut taken, mut gone) = (0_u64, [0_u64; 2], false);
        for (wrote, first, second) in steps {
            let wrote = wrote.min(shared.room());
            let bytes: Vec<u8> = (next..next + wrote as u64).map(|number| (number % 251) as u8).collect();
            shared.wrote(&bytes);
            next += wrote as u64;
            gone |= orders(&mut shared).contains(&Order::LetGo(2));
            for (id, most) in [(1, first.max(1)), (2, second)] {
                let piece = shared.pending(id);
                let piece = piece[..piece.len().min(most)].to_vec();
                let at = &mut taken[id as usize - 1];
                prop_assert!(piece.iter().zip(*at..).all(|(byte, number)| u64::from(*byte) == number % 251));
                *at += piece.len() as u64;
                shared.took(id, piece.len());
            }
            if gone {
                prop_assert!(shared.pending(2).is_empty());
            }
        }
    }
}
