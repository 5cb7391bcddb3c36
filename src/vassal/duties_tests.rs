use super::*;

const START: Moment = Moment(1_000_000_000);

/// Every order that is there by now.
fn orders(duties: &mut Duties) -> Vec<Order> {
    std::iter::from_fn(|| duties.next_order()).collect()
}

/// A command that runs and whose first words were sent.
fn running() -> Duties {
    let mut duties = Duties::new(START);
    assert_eq!(orders(&mut duties), [Order::Send(1), Order::Send(5)]);
    duties
}

fn after(events: &[Event]) -> Duties {
    let mut duties = running();
    events.iter().for_each(|event| duties.handle(*event, START));
    duties
}

#[test]
fn every_state_has_an_answer_to_every_event() {
    use Event::{Byte, Checked, EmperorGone, Ended, Signal};
    let term = Order::Signal(TERM);
    let killed = Ended(Exit::Signal(TERM));
    let table: &[(&[Event], &[Order])] = &[
        (&[Ended(Exit::Code(7))], &[Order::Finish(7)]),
        (&[Ended(Exit::Signal(9))], &[Order::Finish(137)]),
        (&[Signal(1)], &[Order::Signal(1)]),
        (&[Signal(TERM), killed], &[Order::Finish(143)]),
        (&[Byte(0), Byte(0)], &[term]),
        (&[Byte(2)], &[term]),
        (&[Byte(99)], &[]),
        (&[Byte(1)], &[Order::Check]),
        (&[Byte(1), Checked(false)], &[Order::Check, Order::Send(1), Order::Send(5)]),
        (&[Byte(1), Checked(true)], &[Order::Check, term]),
        (&[EmperorGone, Byte(0), Byte(1), Checked(true)], &[term]),
        (&[Byte(0), Byte(1), Checked(true), Checked(false)], &[term]),
        (&[Byte(0), Signal(1)], &[term, Order::Signal(1)]),
        (
            &[Ended(Exit::Code(0)), Signal(1), Byte(0), Byte(1), Checked(true), EmperorGone, killed],
            &[Order::Finish(0)],
        ),
    ];
    for (events, expected) in table {
        assert_eq!(orders(&mut after(events)), *expected, "{events:?}");
    }
}

#[test]
fn the_reason_of_an_end_decides_its_status() {
    use Event::{Byte, Checked, EmperorGone, Ended};
    let table: &[(&[Event], Exit, u8)] = &[
        (&[], Exit::Code(3), 3),
        (&[], Exit::Signal(TERM), 143),
        (&[], Exit::Code(-1), 255),
        (&[Byte(0)], Exit::Signal(TERM), 0),
        (&[Byte(0)], Exit::Code(0), 0),
        (&[Byte(0)], Exit::Code(3), 3),
        (&[Byte(0)], Exit::Signal(11), 139),
        (&[Byte(1), Checked(true), Byte(0)], Exit::Code(3), 3),
        (&[EmperorGone], Exit::Code(0), 1),
        (&[EmperorGone, Byte(0)], Exit::Code(0), 1),
    ];
    for (events, exit, status) in table {
        let mut duties = after(events);
        duties.handle(Ended(*exit), START);
        assert_eq!(orders(&mut duties), [Order::Finish(*status)], "{events:?} {exit:?}");
    }
    let mut reloaded = after(&[Byte(1), Checked(true)]);
    reloaded.handle(Ended(Exit::Code(3)), START);
    assert_eq!(orders(&mut reloaded), [Order::Renew]);
}

#[test]
fn a_command_is_loyal_once_and_not_before_its_time() {
    let mut duties = running();
    let loyal = START.plus_ms(3_000);
    assert_eq!(duties.next_deadline(), Some(loyal));
    duties.handle_deadline(START.plus_ms(2_999));
    assert!(orders(&mut duties).is_empty());
    duties.handle_deadline(loyal);
    duties.handle_deadline(loyal.plus_ms(1));
    assert_eq!((orders(&mut duties), duties.next_deadline()), (vec![Order::Send(17)], None));
}

#[test]
fn only_an_orphan_is_killed_by_its_master() {
    let mut told = after(&[Event::Byte(0)]);
    assert_eq!(told.next_deadline(), None);
    told.handle(Event::EmperorGone, START);
    orders(&mut told);
    let deadline = told.next_deadline().expect("an orphan has a deadline");
    told.handle_deadline(deadline);
    told.handle_deadline(deadline.plus_ms(1));
    assert_eq!((orders(&mut told), told.next_deadline()), (vec![Order::Signal(9)], None));
}
