use super::super::exit::Exit;
use super::ending::REST_GRACE_MS;
use super::*;

/// `SIGTERM`.
const TERM: i32 = 15;
const START: Moment = Moment(1_000_000_000);

/// Every order that is there by now.
fn orders(duties: &mut Duties) -> Vec<Order> {
    std::iter::from_fn(|| duties.next_order()).collect()
}

/// A command that runs and whose first words were sent.
fn running() -> Duties {
    let mut duties = Duties::new(Health::default(), START);
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
    use Event::{Byte, Checked, EmperorGone, Ended, Left, Signal};
    let term = Order::Signal(TERM);
    let killed = Ended(Exit::Signal(TERM));
    let table: &[(&[Event], &[Order])] = &[
        (&[Ended(Exit::Code(7))], &[Order::Finish(7)]),
        (&[Ended(Exit::Signal(9))], &[Order::Finish(137)]),
        (&[Signal(1)], &[Order::Signal(1)]),
        (&[Signal(TERM), killed], &[Order::Finish(143)]),
        (&[Signal(TERM), Left, Byte(1), Signal(1), killed], &[Order::Finish(143)]),
        (&[Byte(0), Left, killed], &[Order::Finish(0)]),
        (&[Byte(0), Byte(0)], &[term]),
        (&[Byte(2)], &[term]),
        (&[Byte(99)], &[]),
        (&[Byte(1)], &[Order::Check]),
        (&[Byte(1), Checked(Newest::Bad)], &[Order::Check, Order::Send(1), Order::Send(5)]),
        (&[Byte(1), Checked(Newest::Good)], &[Order::Check, term]),
        (&[EmperorGone, Byte(0), Byte(1), Checked(Newest::Good)], &[term]),
        (&[Byte(0), Byte(1), Checked(Newest::Good), Checked(Newest::Bad)], &[term]),
        (&[Byte(0), Signal(1)], &[term, Order::Signal(1)]),
        (
            &[Ended(Exit::Code(0)), Signal(1), Byte(0), Byte(1), Checked(Newest::Good), EmperorGone, killed],
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
        (&[Byte(1), Checked(Newest::Good), Byte(0)], Exit::Code(3), 3),
        (&[EmperorGone], Exit::Code(0), 1),
        (&[EmperorGone, Byte(0)], Exit::Code(0), 1),
    ];
    for (events, exit, status) in table {
        let mut duties = after(events);
        duties.handle(Ended(*exit), START);
        assert_eq!(orders(&mut duties), [Order::Finish(*status)], "{events:?} {exit:?}");
    }
    let mut reloaded = after(&[Byte(1), Checked(Newest::Good)]);
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

fn of(health: Health) -> Duties {
    Duties::new(health, START)
}

#[test]
fn a_command_that_tells_when_it_is_ready_is_ready_and_loyal_no_sooner() {
    let mut duties = of(Health { ready: Readiness::Notify, ..Health::default() });
    assert_eq!((orders(&mut duties), duties.next_deadline()), (Vec::new(), None));
    duties.handle(Event::Ready, START);
    duties.handle(Event::Ready, START);
    assert_eq!(orders(&mut duties), [Order::Send(1), Order::Send(5)]);
    duties.handle_deadline(START.plus_ms(LOYAL_MS));
    assert_eq!(orders(&mut duties), [Order::Send(17)]);
}

#[test]
fn a_command_is_ready_when_it_has_lived_long_enough() {
    let mut duties = of(Health { ready: Readiness::Lived(2_000), ..Health::default() });
    duties.handle_deadline(START.plus_ms(1_999));
    assert_eq!(orders(&mut duties), []);
    duties.handle_deadline(START.plus_ms(2_000));
    assert_eq!(orders(&mut duties), [Order::Send(1), Order::Send(5)]);
}

#[test]
fn heartbeats_go_on_and_a_flood_of_them_does_not() {
    let mut duties = running();
    for ms in 0..1_000 {
        duties.handle(Event::Beat, START.plus_ms(ms));
    }
    assert_eq!(orders(&mut duties), [Order::Send(26), Order::Send(26)]);
}

#[test]
fn a_command_reloads_by_a_signal_unless_its_config_has_changed() {
    let health = Health { reload_signal: Some(1), stop_signal: 2, ..Health::default() };
    let table = [
        (Newest::Same, vec![Order::Signal(1), Order::Send(1), Order::Send(5)]),
        (Newest::Good, vec![Order::Signal(2)]),
        (Newest::Bad, vec![Order::Send(1), Order::Send(5)]),
    ];
    for (newest, expected) in table {
        let mut duties = of(health);
        orders(&mut duties);
        duties.handle(Event::Checked(newest), START);
        assert_eq!(orders(&mut duties), expected, "{newest:?}");
    }
}

#[test]
fn a_command_that_does_not_end_is_killed_when_its_mercy_is_over() {
    let mut duties = of(Health { mercy_ms: Some(4_000), ..Health::default() });
    orders(&mut duties);
    duties.handle(Event::Byte(0), START);
    duties.handle(Event::Byte(0), START.plus_ms(1_000));
    assert_eq!(orders(&mut duties), [Order::Signal(TERM)]);
    duties.handle_deadline(START.plus_ms(4_000));
    assert_eq!(orders(&mut duties), [Order::Signal(KILL)]);
}

#[test]
fn who_speaks_in_the_commands_place_is_told_in_its_place() {
    use Event::{Byte, Checked, EmperorGone, Proxied, Spoken};
    let term = Order::Signal(TERM);
    let table: &[(&[Event], &[Order])] = &[
        (&[Proxied(true), Byte(0)], &[Order::Pass(0)]),
        (&[Proxied(true), Byte(2)], &[Order::Pass(2)]),
        (&[Proxied(true), Byte(0), Proxied(true)], &[Order::Pass(0)]),
        (&[Proxied(true), Byte(0), Proxied(false)], &[Order::Pass(0), term]),
        (&[Proxied(true), Proxied(false), Byte(0), Proxied(false)], &[term]),
        (&[Proxied(true), EmperorGone, Byte(0)], &[Order::Pass(0), term]),
        (&[Proxied(true), Checked(Newest::Same)], &[Order::Pass(1)]),
        (&[Proxied(true), Checked(Newest::Good)], &[Order::Pass(0)]),
        (&[Proxied(true), Checked(Newest::Bad)], &[Order::Send(1), Order::Send(5)]),
        (
            &[Proxied(true), Spoken(17), Spoken(30), Spoken(26), Spoken(26)],
            &[Order::Send(17), Order::Send(30), Order::Send(26)],
        ),
        (&[Proxied(true), Spoken(22), Spoken(22)], &[Order::Send(22), Order::Pass(0)]),
        // Neither its config nor a text of ours, nor what nobody knows.
        (&[Proxied(true), Spoken(0), Spoken(2), Spoken(13), Spoken(99)], &[]),
    ];
    for (events, expected) in table {
        assert_eq!(orders(&mut after(events)), *expected, "{events:?}");
    }
    let mut waiting = of(Health { ready: Readiness::Notify, ..Health::default() });
    waiting.handle(Spoken(1), START);
    waiting.handle(Spoken(5), START);
    waiting.handle_deadline(START.plus_ms(LOYAL_MS));
    assert_eq!(orders(&mut waiting), [Order::Send(1), Order::Send(5), Order::Send(17)]);
}

#[test]
fn who_is_left_of_a_command_takes_time_only_where_somebody_asked_for_the_end() {
    for (events, may) in [
        (&[][..], false),
        (&[Event::Signal(1)], false),
        (&[Event::Signal(TERM)], true),
        (&[Event::Byte(0)], true),
        (&[Event::Byte(1), Event::Checked(Newest::Good)], true),
    ] {
        assert_eq!(after(events).lets_take_time(), may, "{events:?}");
    }
    let mut duties = after(&[Event::Signal(TERM), Event::Left]);
    orders(&mut duties);
    duties.handle_deadline(START.plus_ms(REST_GRACE_MS));
    duties.handle(Event::Left, START.plus_ms(REST_GRACE_MS));
    assert_eq!((orders(&mut duties), duties.next_deadline()), (vec![Order::Signal(KILL)], None));
    // Whoever was born behind the signal was told nothing; and a command that is told to end in its time has for ever.
    let duties = after(&[Event::Byte(to_vassal::STOP_GRACEFULLY), Event::Left]);
    assert_eq!(duties.next_deadline(), Some(START.plus_ms(REST_GRACE_MS)));
}
