//! Pure. A step that failed: its wire form, and the sentence that is told.

use super::{Host, Plan, Step, advise, advise_birth, errno_name};

/// A step that failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// Number of the step, from 1; 0 is the birth of the process itself.
    pub step: u16,
    /// `errno(3)`; 0 when `detail` says all.
    pub errno: i32,
    /// What more is known.
    pub detail: String,
}

/// Bytes before the detail: step and errno, little endian.
const HEAD: usize = 6;
/// Bytes of detail at most; what is longer is cut at a character.
const DETAIL_MAX: usize = 250;

impl Failure {
    /// Bytes of an encoded failure at most: below `PIPE_BUF`, so that one write is never torn.
    pub const WIRE_MAX: usize = HEAD + DETAIL_MAX;

    /// As it travels over the report pipe.
    pub fn encode(&self) -> Vec<u8> {
        let mut wire = Vec::with_capacity(Self::WIRE_MAX);
        wire.extend(self.step.to_le_bytes());
        wire.extend(self.errno.to_le_bytes());
        wire.extend(cut(&self.detail).as_bytes());
        wire
    }

    /// Reads what [`Self::encode`] wrote; `None` for anything else: too short, too long, no UTF-8.
    pub fn decode(wire: &[u8]) -> Option<Self> {
        let (step, rest) = wire.split_first_chunk()?;
        let (errno, detail) = rest.split_first_chunk()?;
        let detail = std::str::from_utf8(detail).ok().filter(|detail| detail.len() <= DETAIL_MAX)?;
        Some(Self {
            step: u16::from_le_bytes(*step),
            errno: i32::from_le_bytes(*errno),
            detail: detail.into(),
        })
    }

    /// The whole sentence: `cannot mount proc on /proc: EPERM (step 6 of 21); advice: …`.
    pub fn sentence(&self, plan: &Plan, host: &Host) -> String {
        let deed = plan.deed(self.step).unwrap_or_else(|| "do a step that is not in the plan".into());
        let place = format!("step {} of {}", self.step, plan.steps.len());
        let advice = match self.step.checked_sub(1) {
            None => advise_birth(plan.namespaces, self.errno, host),
            Some(index) => plan.steps.get(usize::from(index)).and_then(|step| advise(step, self.errno, host)),
        };
        format!("cannot {deed}: {} ({place}){}", self.cause(), advised(advice))
    }

    /// The sentence for a step that was done by itself, outside of a plan.
    pub fn about(&self, step: &Step, host: &Host) -> String {
        format!("cannot {}: {}{}", step.deed(), self.cause(), advised(advise(step, self.errno, host)))
    }

    /// Cause alone: `EPERM`, `exit status 3`, `EACCES: /opt/app/run`.
    pub fn cause(&self) -> String {
        match (self.errno, self.detail.as_str()) {
            (0, detail) => detail.into(),
            (errno, "") => errno_name(errno),
            (errno, detail) => format!("{}: {detail}", errno_name(errno)),
        }
    }
}

/// At most `DETAIL_MAX` bytes of it, whole characters.
fn cut(detail: &str) -> &str {
    let end = (0..=detail.len().min(DETAIL_MAX)).rev().find(|end| detail.is_char_boundary(*end));
    &detail[..end.unwrap_or(0)]
}

fn advised(advice: Option<String>) -> String {
    advice.map_or_else(String::new, |advice| format!("; advice: {advice}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_survives_the_wire() {
        let failure = Failure { step: 7, errno: -1, detail: "killed by signal 9".into() };
        assert_eq!(Failure::decode(&failure.encode()), Some(failure));
    }

    #[test]
    fn a_long_detail_is_cut_at_a_character() {
        let failure = Failure { step: 1, errno: 2, detail: "ä".repeat(300) };
        let wire = failure.encode();
        assert!(wire.len() <= Failure::WIRE_MAX);
        assert_eq!(Failure::decode(&wire).unwrap().detail, "ä".repeat(DETAIL_MAX / 2));
    }

    #[test]
    fn what_is_no_failure_is_refused() {
        for wire in [&b""[..], b"12345", &[0; HEAD + DETAIL_MAX + 1], &[0, 0, 0, 0, 0, 0, 0xff]] {
            assert_eq!(Failure::decode(wire), None, "{wire:?}");
        }
    }
}
