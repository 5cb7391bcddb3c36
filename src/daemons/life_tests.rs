use super::*;

const RULES: Rules = Rules {
    control: false,
    smart: false,
    notify_pid: false,
    stop_signal: 15,
    reload_signal: None,
    grace_ms: 3_000,
    delay_max_ms: 300_000,
    ready: Readiness::Started,
};

fn at(ms: u64) -> Moment {
    Moment::default().plus_ms(1_000_000 + ms)
}

fn orders(life: &mut Life) -> Vec<Order> {
    std::iter::from_fn(|| life.next_order()).collect()
}

/// One that runs since `at(0)`.
fn running(rules: Rules) -> Life {
    let mut life = Life::new(rules, at(0));
    life.handle_deadline(at(0));
    assert_eq!(orders(&mut life), [Order::Start]);
    life
}

#[test]
fn one_that_ends_is_started_again_after_a_pause() {
    let mut life = running(RULES);
    life.ended(at(5));
    assert_eq!((life.next_deadline(), life.shown()), (Some(at(105)), words::State::Throttled));
    life.handle_deadline(at(104));
    assert_eq!(orders(&mut life), []);
    life.handle_deadline(at(105));
    assert_eq!((orders(&mut life), life.starts()), (vec![Order::Start], 2));
    life.unborn(at(110));
    assert_eq!(life.next_deadline(), Some(at(310)));
}

#[test]
fn a_stop_is_one_signal_then_the_end_of_all_of_it_then_of_its_keeper() {
    let mut life = running(RULES);
    life.steered(Steering::Stop, at(10));
    life.steered(Steering::Stop, at(20));
    assert_eq!(orders(&mut life), [Order::End(15)]);
    life.handle_deadline(at(3_010));
    assert_eq!(orders(&mut life), [Order::Kill]);
    life.handle_deadline(at(4_010));
    assert_eq!((orders(&mut life), life.next_deadline()), (vec![Order::KillKeeper], None));
    life.ended(at(4_011));
    assert_eq!((life.shown(), life.next_deadline()), (words::State::Stopped, None));
    life.steered(Steering::Start, at(5_000));
    life.handle_deadline(at(5_000));
    assert_eq!(orders(&mut life), [Order::Start]);
}

#[test]
fn one_that_is_stopped_by_hand_stays_so_whatever_is_touched() {
    let mut life = running(RULES);
    life.steered(Steering::Stop, at(10));
    life.ended(at(11));
    orders(&mut life);
    life.touched(at(12));
    life.steered(Steering::Signal(10), at(13));
    assert_eq!((orders(&mut life), life.next_deadline()), (vec![], None));
}

#[test]
fn a_touch_begins_it_anew_once() {
    let mut life = running(RULES);
    life.touched(at(10));
    life.touched(at(11));
    assert_eq!(orders(&mut life), [Order::End(15)]);
    life.ended(at(12));
    life.handle_deadline(at(12));
    assert_eq!(orders(&mut life), [Order::Start], "it was asked for: no pause");
}

#[test]
fn a_start_during_a_stop_begins_it_anew_and_a_stop_during_a_restart_does_not() {
    for (first, second, last) in
        [(Steering::Stop, Steering::Start, vec![Order::Start]), (Steering::Restart, Steering::Stop, vec![])]
    {
        let mut life = running(RULES);
        life.steered(first, at(10));
        life.steered(second, at(11));
        assert_eq!(orders(&mut life), [Order::End(15)]);
        life.ended(at(12));
        life.handle_deadline(at(12));
        assert_eq!(orders(&mut life), last);
    }
}

#[test]
fn the_end_of_a_control_daemon_is_that_of_the_vassal() {
    let mut life = running(Rules { control: true, ..RULES });
    life.ended(at(5));
    assert_eq!((orders(&mut life), life.is_over()), (vec![Order::Shutdown], true));
    let mut life = running(Rules { control: true, ..RULES });
    life.steered(Steering::Restart, at(5));
    life.ended(at(6));
    assert_eq!(life.next_deadline(), Some(at(6)), "its end was asked for");
}

#[test]
fn who_leaves_is_told_by_the_signal_for_that_and_never_comes_back() {
    for (leaving, signal) in [(Leaving::Stop, 15), (Leaving::Reload, 12)] {
        let mut life = running(Rules { reload_signal: Some(12), ..RULES });
        life.leave(leaving, at(10));
        life.steered(Steering::Start, at(11));
        assert_eq!(orders(&mut life), [Order::End(signal)]);
        life.hurry(at(500));
        life.handle_deadline(at(500));
        assert_eq!(orders(&mut life), [Order::Kill]);
        life.ended(at(501));
        assert!(life.is_over() && life.next_deadline().is_none());
    }
    let mut waits = running(RULES);
    waits.ended(at(5));
    waits.leave(Leaving::Stop, at(6));
    assert!(waits.is_over());
}

#[test]
fn it_is_ready_when_its_config_says_so() {
    let mut lived = running(Rules { ready: Readiness::Lived(500), ..RULES });
    assert_eq!(lived.shown(), words::State::Starting);
    lived.handle_deadline(at(500));
    assert_eq!(lived.shown(), words::State::Running);
    let mut notify = running(Rules { ready: Readiness::Notify, ..RULES });
    assert_eq!((notify.shown(), notify.next_deadline()), (words::State::Starting, None));
    notify.ready();
    assert_eq!(notify.shown(), words::State::Running);
    notify.steered(Steering::Stop, at(10));
    notify.ready();
    assert_eq!(notify.shown(), words::State::Stopping);
}
