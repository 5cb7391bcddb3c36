//! Pure. What a fork server of uWSGI is asked and what it answers: a request of modifier 35 is an array, its answer
//! a dictionary.

use crate::items::{add_item, item};

/// Both directions.
const MODIFIER: u8 = 35;
const HEADER: usize = 4;
/// Bytes of an answer at most.
pub const ANSWER_MAX: usize = 1024;

/// Which descriptors go along, in the order of these bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Along {
    /// Its config pipe.
    pub config: bool,
    /// Its listener.
    pub listener: bool,
}

impl Along {
    fn bits(self) -> u8 {
        1 | u8::from(self.config) << 1 | u8::from(self.listener) << 2
    }
}

/// Asks for a process with this command line; `None` where that is too long.
pub fn request(argv: &[String], along: Along) -> Option<Vec<u8>> {
    let mut bytes = vec![MODIFIER, 0, 0, along.bits()];
    argv.iter().try_for_each(|argument| add_item(&mut bytes, argument.as_bytes()))?;
    let size = u16::try_from(bytes.len() - HEADER).ok()?;
    bytes[1..3].copy_from_slice(&size.to_le_bytes());
    Some(bytes)
}

/// The number in an answer; `None` while it is not all there.
///
/// # Errors
/// What is wrong with it.
pub fn answer(bytes: &[u8]) -> Result<Option<i32>, &'static str> {
    if bytes.first().is_some_and(|modifier| *modifier != MODIFIER) {
        return Err("speaks another protocol");
    }
    let Some((&[_, low, high, second], body)) = bytes.split_first_chunk::<HEADER>() else { return Ok(None) };
    let size = usize::from(u16::from_le_bytes([low, high]));
    if second != 0 || size > ANSWER_MAX - HEADER || body.len() > size {
        return Err("answers what was not asked");
    }
    if body.len() < size { Ok(None) } else { number(body).map(Some) }
}

fn number(mut rest: &[u8]) -> Result<i32, &'static str> {
    let mut pid = None;
    while !rest.is_empty() {
        let pair = item(&mut rest).and_then(|key| Some((key, item(&mut rest)?)));
        match pair.ok_or("gives an answer that is cut short")? {
            (b"pid", _) if pid.is_some() => return Err("gives two pids"),
            (b"pid", value) => pid = Some(value),
            _ => {} // later versions may say more
        }
    }
    let digits = pid.ok_or("gives no pid")?;
    let parsed =
        std::str::from_utf8(digits).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let pid = parsed.and_then(|text| text.parse().ok()).filter(|pid: &i32| *pid > 1);
    pid.ok_or("gives no pid of a process that it could have made")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = vec![MODIFIER, 0, 0, 0];
        pairs.iter().flat_map(|(key, value)| [key, value]).for_each(|one| {
            add_item(&mut bytes, one.as_bytes()).expect("short");
        });
        let size = u16::try_from(bytes.len() - HEADER).expect("short");
        bytes[1..3].copy_from_slice(&size.to_le_bytes());
        bytes
    }

    #[test]
    fn a_request_is_the_command_line_and_says_which_descriptors_come_along() {
        let argv = ["uwsgi".to_owned(), "--ini".to_owned()];
        let alone = request(&argv, Along { config: false, listener: false });
        assert_eq!(alone.as_deref(), Some(&b"\x23\x0e\0\x01\x05\0uwsgi\x05\0--ini"[..]));
        let all = request(&argv, Along { config: true, listener: true }).expect("short");
        assert_eq!(all[3], 7);
        let long = ["x".repeat(40_000), "x".repeat(40_000)];
        assert_eq!(request(&long, Along { config: false, listener: false }), None);
    }

    #[test]
    fn an_answer_is_read_wherever_it_is_cut() {
        let whole = said(&[("later", "x"), ("pid", "4711")]);
        (0..whole.len()).for_each(|end| assert_eq!(answer(&whole[..end]), Ok(None), "{end}"));
        assert_eq!(answer(&whole), Ok(Some(4711)));
        assert!(answer(&[&whole[..], b"x"].concat()).is_err());
    }

    #[test]
    fn what_is_no_pid_of_somebody_else_is_none() {
        for pid in ["-1", "0", "1", "", "+7", " 7", "7x", "4294967297", "99999999999999999999", "\u{ff17}"] {
            assert!(answer(&said(&[("pid", pid)])).is_err(), "{pid}");
        }
        assert!(answer(&said(&[("pid", "7"), ("pid", "8")])).is_err());
        assert!(answer(&said(&[])).is_err());
        assert!(answer(b"HTTP/1.0 200 OK").is_err());
        assert!(answer(&[MODIFIER, 0xff, 0xff, 0]).is_err(), "an answer of 64 KiB is not waited for");
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_the_reader_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..64)) {
            let _ = answer(&bytes);
            let _ = answer(&[&[MODIFIER][..], &bytes].concat());
        }
    }
}
