//! Pure. Commands to an Emperor in the datagrams of uWSGI: four bytes of header, which mean nothing, and a dictionary of
//! which each key and value has its length (16 bits, little endian) before it.

use crate::emperor::event::Command;
use crate::items::item;

/// Bytes of a datagram at most, as in uWSGI.
pub const DATAGRAM_MAX: usize = 4096;
const HEADER: usize = 4;

/// What a datagram asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Something of the vassal of this name.
    Of(String, Command),
    /// To write this into the log.
    Log(String),
}

impl Asked {
    /// Reads one datagram.
    ///
    /// # Errors
    /// What is wrong with it, for the log.
    pub fn parse(datagram: &[u8]) -> Result<Self, &'static str> {
        let mut rest = datagram.get(HEADER..).ok_or("it is shorter than its header")?;
        let (mut verb, mut vassal, mut message) = (None, None, None);
        while !rest.is_empty() {
            let key = item(&mut rest).ok_or("it is cut short")?;
            let value = item(&mut rest).ok_or("it is cut short")?;
            match key {
                b"cmd" | b"command" => verb = Some(value),
                b"vassal" => vassal = Some(value),
                b"msg" => message = Some(value),
                _ => {} // later versions may say more
            }
        }
        let command = match verb.ok_or("it names no command")? {
            b"spawn" => Command::Spawn,
            b"respawn" => Command::Respawn,
            b"stop" => Command::Stop,
            b"log" => return message.map(text).map(Self::Log).ok_or("there is nothing to log"),
            _ => return Err("it is none of spawn, respawn, stop and log"),
        };
        vassal.map(|name| Self::Of(text(name), command)).ok_or("it names no vassal")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = vec![0, 1, 2, 3];
        for part in pairs.iter().flat_map(|(key, value)| [key, value]) {
            bytes.extend(u16::try_from(part.len()).unwrap().to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        bytes
    }

    #[test]
    fn a_datagram_of_uwsgi_is_read() {
        let spawn = datagram(&[("cmd", "spawn"), ("vassal", "app.ini"), ("later", "x")]);
        assert_eq!(Asked::parse(&spawn), Ok(Asked::Of("app.ini".into(), Command::Spawn)));
        let stop = datagram(&[("vassal", "app.ini"), ("command", "stop")]);
        assert_eq!(Asked::parse(&stop), Ok(Asked::Of("app.ini".into(), Command::Stop)));
        let log = datagram(&[("cmd", "log"), ("msg", "hello")]);
        assert_eq!(Asked::parse(&log), Ok(Asked::Log("hello".into())));
    }

    #[test]
    fn what_is_no_command_is_refused_wherever_it_is_cut() {
        let whole = datagram(&[("cmd", "stop"), ("vassal", "app.ini")]);
        (0..whole.len()).for_each(|end| assert!(Asked::parse(&whole[..end]).is_err(), "{end}"));
        for pairs in [&[("cmd", "kill"), ("vassal", "a")][..], &[("cmd", "spawn")], &[("cmd", "log")]] {
            assert!(Asked::parse(&datagram(pairs)).is_err(), "{pairs:?}");
        }
    }
}
