//! Pure. A datagram of uWSGI's subscription protocol.

/// Bytes of what a router reads at once, without the header.
pub const PAYLOAD_MAX: usize = 4_092;
/// `modifier1` of subscriptions.
const SUBSCRIPTION: u8 = 224;

/// What a router is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The vassal serves the key.
    Here,
    /// It does so no more.
    Gone,
}

/// Header and fields: each name and value after its length (16 bits, little endian). `None` when it is too long.
pub fn packet(said: Said, fields: &[(&str, String)]) -> Option<Vec<u8>> {
    let mut payload = Vec::new();
    for part in fields.iter().flat_map(|(name, value)| [*name, value.as_str()]) {
        payload.extend(u16::try_from(part.len()).ok()?.to_le_bytes());
        payload.extend(part.as_bytes());
    }
    let length = u16::try_from(payload.len()).ok().filter(|length| usize::from(*length) <= PAYLOAD_MAX)?;
    let [low, high] = length.to_le_bytes();
    let modifier2 = match said {
        Said::Here => 0,
        Said::Gone => 1,
    };
    Some([&[SUBSCRIPTION, low, high, modifier2], payload.as_slice()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_a_header_and_fields_with_their_lengths() {
        let bytes = packet(Said::Gone, &[("key", "a".into()), ("x", String::new())]);
        assert_eq!(bytes.expect("it is short"), b"\xe0\x0d\x00\x01\x03\x00key\x01\x00a\x01\x00x\x00\x00");
    }

    #[test]
    fn what_no_router_would_read_is_not_sent() {
        assert_eq!(packet(Said::Here, &[("key", "x".repeat(PAYLOAD_MAX - 6))]), None);
        let longest = packet(Said::Here, &[("key", "x".repeat(PAYLOAD_MAX - 7))]);
        assert_eq!(longest.expect("it just fits").len(), 4 + PAYLOAD_MAX);
    }
}
