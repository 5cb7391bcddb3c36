//! Pure. What the Emperor says about a daemon, gathered from the bytes of its protocol.

use crate::daemons::Steering;
use crate::emperor::order::to_vassal::{STEER, STEER_END, STEER_MAX};

/// A line that is on its way.
#[derive(Debug, Default)]
pub struct Steered(Option<Vec<u8>>);

impl Steered {
    /// The next byte; what is wanted and of whom when it ends a line.
    pub fn take(&mut self, byte: u8) -> Option<(Steering, String)> {
        match (byte, &mut self.0) {
            (STEER, line) => *line = Some(Vec::new()),
            (STEER_END, line) => {
                let line = line.take()?;
                return Steering::parse(std::str::from_utf8(&line).ok()?);
            }
            (_, Some(line)) if line.len() < STEER_MAX => line.push(byte),
            // Too long, or none of ours.
            (_, line) => *line = None,
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(bytes: &[u8]) -> Vec<(Steering, String)> {
        let mut steered = Steered::default();
        bytes.iter().filter_map(|byte| steered.take(*byte)).collect()
    }

    #[test]
    fn a_line_is_heard_when_it_is_whole() {
        assert_eq!(after(b"\x14stop a\n\x14signal b 10\n").len(), 2);
        assert_eq!(after(b"\x14stop a\n"), [(Steering::Stop, "a".into())]);
        assert_eq!(after(b"\x14stop a\x14start b\n"), [(Steering::Start, "b".into())]);
        assert_eq!(after(b"stop a\n\x01\x00"), []);
        let long = [b"\x14stop ".as_slice(), &[b'x'; 1000], b"\n"].concat();
        assert_eq!(after(&long), []);
    }
}
