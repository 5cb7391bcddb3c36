//! Pure. What becomes of a program when its client goes, and of the client when the program ends.

use std::collections::VecDeque;

/// Milliseconds from the hang-up to TERM, and from TERM to KILL; and for a client to take what the program left.
pub const GRACE_MS: u64 = 3_000;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client has gone.
    ClientGone,
    /// It wants to go, and the program to stay.
    Detach,
    /// Another one has come.
    ClientCame,
    /// The program, which is the leader of its session, has ended.
    ProgramEnded,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Tell the client that it may go, and let it.
    LetGo,
    /// Tell the client that another one looks already.
    Refuse,
    /// Tell the client how the program ended.
    TellEnd,
    /// Close the terminal, and send HUP to everybody of the session.
    HangUp,
    /// Send TERM to everybody of the session.
    Terminate,
    /// Send KILL to everybody of the session.
    Kill,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Attended,
    Alone,
    /// The program is over; the client has time until then to take what waits.
    Draining(u64),
    /// The terminal is gone; TERM follows then.
    HungUp(u64),
    /// KILL follows then.
    Terminated(u64),
    Over,
}

/// The life of a session.
#[derive(Debug)]
pub struct Life {
    state: State,
    has_program: bool,
    /// Only what has a terminal can be come back to.
    has_terminal: bool,
    orders: VecDeque<Order>,
}

impl Life {
    /// A session with a client, whose program runs.
    pub fn new(has_terminal: bool) -> Self {
        Self { state: State::Attended, has_program: true, has_terminal, orders: VecDeque::new() }
    }

    /// Takes in what happened.
    pub fn handle(&mut self, event: Event, now_ms: u64) {
        match (self.state, event) {
            (State::Attended, Event::Detach) if self.has_terminal => {
                self.orders.push_back(Order::LetGo);
                self.state = State::Alone;
            }
            (State::Attended, Event::ClientGone) => self.hang_up(now_ms),
            (State::Attended, Event::ProgramEnded) => {
                self.has_program = false;
                self.orders.push_back(Order::TellEnd);
                self.state = State::Draining(now_ms + GRACE_MS);
            }
            (State::Alone, Event::ClientCame) => self.state = State::Attended,
            // What it has written is nobody's.
            (State::Alone, Event::ProgramEnded) | (State::Draining(_), Event::ClientGone) => self.bury(),
            (State::HungUp(_) | State::Terminated(_), Event::ProgramEnded) => self.bury(),
            (State::Over, Event::ProgramEnded) => self.has_program = false,
            // Without a terminal there is nothing to come back to.
            (State::Attended, Event::Detach) => {}
            (State::Attended, Event::ClientCame) => self.orders.push_back(Order::Refuse),
            (State::Draining(_) | State::HungUp(_), Event::ClientCame) => {
                self.orders.push_back(Order::Refuse)
            }
            (State::Terminated(_) | State::Over, Event::ClientCame) => self.orders.push_back(Order::Refuse),
            // Nobody is there who could, or it is too late.
            (State::Alone, Event::ClientGone | Event::Detach) => {}
            (State::Draining(_), Event::Detach | Event::ProgramEnded) => {}
            (State::HungUp(_) | State::Terminated(_), Event::ClientGone | Event::Detach) => {}
            (State::Over, Event::ClientGone | Event::Detach) => {}
        }
    }

    /// Some time has passed.
    pub fn settle(&mut self, now_ms: u64) {
        match self.state {
            State::Draining(until) if until <= now_ms => self.bury(),
            State::HungUp(until) if until <= now_ms => {
                self.orders.push_back(Order::Terminate);
                self.state = State::Terminated(now_ms + GRACE_MS);
            }
            State::Terminated(until) if until <= now_ms => {
                self.orders.push_back(Order::Kill);
                self.state = State::Over;
            }
            State::Attended | State::Alone | State::Over => {}
            State::Draining(_) | State::HungUp(_) | State::Terminated(_) => {}
        }
    }

    fn hang_up(&mut self, now_ms: u64) {
        self.orders.push_back(Order::HangUp);
        self.state = State::HungUp(now_ms + GRACE_MS);
    }

    /// Whoever else is of its session goes with the program.
    fn bury(&mut self) {
        self.has_program = false;
        self.orders.push_back(Order::Kill);
        self.state = State::Over;
    }

    /// What is to be done next.
    pub fn next_order(&mut self) -> Option<Order> {
        self.orders.pop_front()
    }

    /// When `settle` has something to do, in milliseconds.
    pub fn next_deadline(&self) -> Option<u64> {
        match self.state {
            State::Draining(until) | State::HungUp(until) | State::Terminated(until) => Some(until),
            State::Attended | State::Alone | State::Over => None,
        }
    }

    /// Whether its program was not reaped yet.
    pub fn has_program(&self) -> bool {
        self.has_program
    }

    /// Whether nobody looks at it.
    pub fn is_alone(&self) -> bool {
        self.state == State::Alone
    }

    /// Whether nothing is left of it.
    pub fn is_over(&self) -> bool {
        self.state == State::Over && !self.has_program
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn orders(life: &mut Life) -> Vec<Order> {
        std::iter::from_fn(|| life.next_order()).collect()
    }

    /// Row T7.
    #[test]
    fn who_vanishes_leaves_nobody_behind() {
        let mut life = Life::new(true);
        life.handle(Event::ClientGone, 1);
        assert_eq!((orders(&mut life), life.next_deadline()), (vec![Order::HangUp], Some(1 + GRACE_MS)));
        life.settle(1 + GRACE_MS);
        life.settle(1 + 2 * GRACE_MS);
        assert_eq!(orders(&mut life), [Order::Terminate, Order::Kill]);
        assert!(!life.is_over(), "it was not reaped");
        life.handle(Event::ProgramEnded, 9);
        assert!(life.is_over());
    }

    #[test]
    fn a_client_has_time_for_what_its_program_left() {
        let mut life = Life::new(true);
        life.handle(Event::ProgramEnded, 5);
        assert_eq!(orders(&mut life), [Order::TellEnd]);
        assert!(!life.is_over());
        life.handle(Event::ClientGone, 6);
        assert_eq!(orders(&mut life), [Order::Kill]);
        assert!(life.is_over());
    }

    #[test]
    fn a_session_is_left_and_taken_up_by_one_at_a_time() {
        let mut life = Life::new(true);
        life.handle(Event::ClientCame, 1);
        assert_eq!(orders(&mut life), [Order::Refuse]);
        life.handle(Event::Detach, 2);
        assert_eq!(orders(&mut life), [Order::LetGo]);
        life.handle(Event::ClientGone, 3);
        assert!(life.is_alone() && life.next_deadline().is_none());
        life.handle(Event::ClientCame, 4);
        assert!(!life.is_alone());
        life.handle(Event::Detach, 5);
        life.handle(Event::ProgramEnded, 6);
        assert_eq!(orders(&mut life), [Order::LetGo, Order::Kill]);
        assert!(life.is_over());
    }

    #[test]
    fn without_a_terminal_nobody_goes_and_comes_back() {
        let mut life = Life::new(false);
        life.handle(Event::Detach, 1);
        assert_eq!(orders(&mut life), []);
        life.handle(Event::ClientGone, 2);
        assert_eq!(orders(&mut life), [Order::HangUp]);
    }
}
