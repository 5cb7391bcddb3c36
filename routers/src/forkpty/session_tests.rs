use super::super::frame::{input_header, signal_frame, window_frames};
use super::*;
use proptest::prelude::*;

const RULES: Rules = Rules { window: Window { rows: 24, columns: 80 }, idle_ms: None, grace_ms: 1000 };

fn orders(session: &mut Session) -> Vec<Order> {
    std::iter::from_fn(|| session.next_order()).collect()
}

fn framed(bytes: &[u8]) -> Vec<u8> {
    [&input_header(bytes.len()).unwrap()[..], bytes].concat()
}

#[test]
fn a_raw_client_is_passed_on_as_it_is() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.from_client(&[0, 1, 2, 100, 255], 0);
    assert_eq!(session.input.pending(), [0, 1, 2, 100, 255]);
    assert_eq!(orders(&mut session), []);
}

#[test]
fn frames_are_input_signals_and_one_size() {
    let mut session = Session::new(Mode::Framed, RULES, 0);
    let frames = [&framed(b"ls\n")[..], &signal_frame(2).unwrap(), &window_frames(50, 132), &framed(b"x")];
    session.from_client(&frames.concat(), 0);
    assert_eq!(session.input.pending(), b"ls\nx");
    let window = Window { rows: 50, columns: 132 };
    assert_eq!(orders(&mut session), [Order::Signal(2), Order::Resize(window)]);
}

/// Row T4.
#[test]
fn floods_of_signals_and_sizes_become_a_few() {
    let mut session = Session::new(Mode::Framed, RULES, 0);
    let mut flood = Vec::new();
    for number in 0..1000_u16 {
        flood.extend([0, 0, 0, u8::try_from(number % 256).unwrap()]);
        flood.extend(window_frames(number + 1, u16::MAX));
    }
    session.from_client(&flood, 0);
    let orders = orders(&mut session);
    let sizes = orders.iter().filter(|order| matches!(order, Order::Resize(_))).count();
    assert_eq!((sizes, orders.len() <= 21), (1, true), "{orders:?}");
    assert!(orders.iter().all(|order| !matches!(order, Order::Signal(0 | 19 | 64 | 255))));
}

#[test]
fn a_program_that_does_not_read_stops_its_client() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    while session.client_room() > 0 {
        let bytes = vec![b'x'; session.client_room().min(4096)];
        session.from_client(&bytes, 0);
    }
    assert_eq!(session.input.pending().len(), BUFFER);
    session.input.sent(10);
    assert_eq!(session.client_room(), 10);
}

/// Row T7.
#[test]
fn a_client_that_vanishes_takes_the_whole_session_along() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.handle(Event::ClientGone, 100);
    assert_eq!(orders(&mut session), [Order::CloseClient, Order::HangUp]);
    assert_eq!(session.next_deadline(), Some(1100));
    session.settle(1100);
    assert_eq!(orders(&mut session), [Order::Terminate]);
    session.settle(2100);
    assert_eq!((orders(&mut session), session.is_over()), (vec![Order::Kill], false));
    session.handle(Event::ProgramEnded, 2101);
    assert!(session.is_over() && session.next_deadline().is_none());
}

#[test]
fn what_a_program_leaves_behind_ends_with_it() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.handle(Event::ClientGone, 0);
    orders(&mut session);
    session.handle(Event::ProgramEnded, 10);
    assert_eq!((orders(&mut session), session.is_over()), (vec![Order::Kill], true));
}

#[test]
fn the_last_output_reaches_the_client_before_it_is_closed() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.output.take(b"bye\r\n");
    session.handle(Event::ProgramEnded, 0);
    assert_eq!(orders(&mut session), []);
    session.output.sent(5);
    session.settle(1);
    assert_eq!(orders(&mut session), [Order::CloseClient, Order::HangUp, Order::Kill]);
    assert!(session.is_over());
}

#[test]
fn a_client_that_takes_nothing_is_not_waited_for_for_ever() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.output.take(b"bye\r\n");
    session.handle(Event::ProgramEnded, 0);
    assert_eq!(session.next_deadline(), Some(1000));
    session.settle(1000);
    assert!(session.is_over());
}

#[test]
fn a_client_that_only_listens_any_more_still_gets_everything() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.handle(Event::InputEnded, 0);
    assert_eq!((orders(&mut session), session.client_room()), (vec![Order::EndInput], 0));
    session.output.take(b"x");
    session.handle(Event::TerminalClosed, 5);
    assert_eq!(orders(&mut session), []);
}

#[test]
fn silence_ends_a_session_only_where_somebody_said_so() {
    let mut session = Session::new(Mode::Raw, RULES, 0);
    session.settle(u64::MAX / 2);
    assert_eq!((orders(&mut session), session.next_deadline()), (vec![], None));
    let mut session = Session::new(Mode::Raw, Rules { idle_ms: Some(5000), ..RULES }, 0);
    session.from_client(b"x", 3000);
    session.settle(5000);
    assert_eq!((orders(&mut session), session.next_deadline()), (vec![], Some(8000)));
    session.stirred(7000);
    session.settle(8000);
    assert_eq!(orders(&mut session), []);
    session.settle(12_000);
    assert_eq!(orders(&mut session), [Order::CloseClient, Order::HangUp]);
}

proptest! {
    /// Row T7.
    #[test]
    fn every_session_ends_once_its_client_or_its_program_is_gone(events in prop::collection::vec(0u8..5, 0..12)) {
        let mut session = Session::new(Mode::Framed, RULES, 0);
        let (mut now, mut killed, mut closed, mut lives) = (0, 0, 0, true);
        for event in events.into_iter().chain([3, 1]) {
            now += 10;
            match event {
                0 => session.handle(Event::InputEnded, now),
                1 => session.handle(Event::ClientGone, now),
                2 => session.handle(Event::TerminalClosed, now),
                3 if lives => {
                    session.handle(Event::ProgramEnded, now);
                    lives = false;
                }
                _ => session.settle(now),
            }
            for order in orders(&mut session) {
                killed += usize::from(order == Order::Kill);
                closed += usize::from(order == Order::CloseClient);
            }
        }
        while let Some(deadline) = session.next_deadline() {
            session.settle(deadline);
            killed += orders(&mut session).iter().filter(|order| **order == Order::Kill).count();
        }
        prop_assert!(session.is_over());
        prop_assert_eq!((killed, closed), (1, 1));
    }
}
