//! Pure. Which signals a client may send to the program in front (`signal(7)`).

/// Those that somebody at a keyboard, or an end of the line, would send: HUP, INT, QUIT, KILL, USR1, USR2, TERM, CONT, TSTP,
/// WINCH. With STOP a session would hang and nobody could wake it.
const ALLOWED: [u8; 10] = [1, 2, 3, 9, 10, 12, 15, 18, 20, 28];

/// Whether a client may send the signal of this number.
pub fn allowed(number: u8) -> bool {
    ALLOWED.contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Row T4.
    #[test]
    fn only_signals_of_the_list_are_sent() {
        let allowed: Vec<u8> = (0..=255).filter(|number| allowed(*number)).collect();
        assert_eq!(allowed, ALLOWED);
        assert!([0, 19, 64, 255].iter().all(|number| !super::allowed(*number)));
    }
}
