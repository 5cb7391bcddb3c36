//! Pure. What the kernel says of the host's addresses (`rtnetlink(7)`).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Asks for all addresses of both versions.
pub(super) const QUESTION: [u8; 24] = question();

const HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const DONE: u16 = 3;
const NEW_ADDRESS: u16 = 20;
const DELETED_ADDRESS: u16 = 21;
const ASK_ADDRESSES: u16 = 22;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `NLM_F_MULTI`: part of an answer.
const PART: u16 = 2;
/// `NLM_F_DUMP_INTR`: something has changed while the answer was made.
const INTERRUPTED: u16 = 0x10;
const INTERFACE_ADDRESS: u16 = 1;
const LOCAL: u16 = 2;

/// One thing that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The host has this address: part of the answer.
    Address(IpAddr),
    /// Something has changed since: ask again.
    Changed,
    /// The answer is whole.
    Done,
}

const fn question() -> [u8; 24] {
    let mut bytes = [0; 24];
    let (length, kind, flags) = (24_u32.to_ne_bytes(), ASK_ADDRESSES.to_ne_bytes(), DUMP.to_ne_bytes());
    let mut at = 0;
    while at < 4 {
        bytes[at] = length[at];
        at += 1;
    }
    (bytes[4], bytes[5], bytes[6], bytes[7]) = (kind[0], kind[1], flags[0], flags[1]);
    bytes
}

/// Reads a packet of the kernel; what is none ends it.
pub(super) fn read(mut bytes: &[u8], mut hear: impl FnMut(News)) {
    while let Some(header) = bytes.first_chunk::<HEADER>() {
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        let (kind, flags) = (number(header, 4), number(header, 6));
        let Some(message) = bytes.get(HEADER..length) else { return };
        if flags & INTERRUPTED != 0 {
            hear(News::Changed);
        }
        match kind {
            NEW_ADDRESS if flags & PART != 0 => {
                address(message).into_iter().for_each(|one| hear(News::Address(one)))
            }
            NEW_ADDRESS | DELETED_ADDRESS => hear(News::Changed),
            DONE => hear(News::Done),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The host's own address; that of the other end, where there is one, is not.
fn address(message: &[u8]) -> Option<IpAddr> {
    let mut rest = message.get(ADDRESS_HEADER..)?;
    let mut found = None;
    while let Some(header) = rest.first_chunk::<4>() {
        let (length, kind) = (usize::from(number(header, 0)), number(header, 2));
        let value = rest.get(4..length)?;
        match kind {
            LOCAL => return parse(value),
            INTERFACE_ADDRESS => found = parse(value),
            _ => {}
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn parse(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let length = (HEADER + body.len()) as u32;
        let mut bytes =
            [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8], body].concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let length = (4 + value.len()) as u16;
        [&length.to_ne_bytes()[..], &kind.to_ne_bytes(), value].concat()
    }

    fn heard(bytes: &[u8]) -> Vec<News> {
        let mut heard = Vec::new();
        read(bytes, |news| heard.push(news));
        heard
    }

    #[test]
    fn the_hosts_own_address_is_told() {
        let far = [&[0; 8][..], &attribute(1, &[10, 0, 0, 9]), &attribute(2, &[10, 0, 0, 1])].concat();
        let v6 = [&[0; 8][..], &attribute(1, &Ipv6Addr::LOCALHOST.octets())].concat();
        let bytes = [message(20, 2, &far), message(20, 2, &v6), message(3, 2, &[0; 4])].concat();
        let addresses = [News::Address([10, 0, 0, 1].into()), News::Address(Ipv6Addr::LOCALHOST.into())];
        assert_eq!(heard(&bytes), [addresses[0], addresses[1], News::Done]);
        assert_eq!(heard(&message(21, 0, &far)), [News::Changed]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            heard(&bytes);
        }
    }
}
