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

/// Fields as they are sent: each name and value after its length (16 bits, little endian). `None` when one is too long.
pub fn payload(fields: &[(&str, String)]) -> Option<Vec<u8>> {
    fields.iter().try_fold(Vec::new(), |payload, (name, value)| with(payload, name, value.as_bytes()))
}

/// The payload with one more field behind.
pub fn with(mut payload: Vec<u8>, name: &str, value: &[u8]) -> Option<Vec<u8>> {
    for part in [name.as_bytes(), value] {
        payload.extend(u16::try_from(part.len()).ok()?.to_le_bytes());
        payload.extend(part);
    }
    Some(payload)
}

/// The payload after its header. `None` when it is longer than a router reads.
pub fn packet(said: Said, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(payload.len()).ok().filter(|length| usize::from(*length) <= PAYLOAD_MAX)?;
    let [low, high] = length.to_le_bytes();
    let modifier2 = match said {
        Said::Here => 0,
        Said::Gone => 1,
    };
    Some([&[SUBSCRIPTION, low, high, modifier2], payload].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_a_header_and_fields_with_their_lengths() {
        let fields = payload(&[("key", "a".into()), ("x", String::new())]).expect("they are short");
        let bytes = packet(Said::Gone, &fields).expect("it is short");
        assert_eq!(bytes, b"\xe0\x0d\x00\x01\x03\x00key\x01\x00a\x01\x00x\x00\x00");
    }

    #[test]
    fn what_no_router_would_read_is_not_sent() {
        let of = |length| packet(Said::Here, &payload(&[("key", "x".repeat(length))]).expect("fields"));
        assert_eq!(of(PAYLOAD_MAX - 6), None);
        assert_eq!(of(PAYLOAD_MAX - 7).expect("it just fits").len(), 4 + PAYLOAD_MAX);
        assert_eq!(payload(&[("key", "x".repeat(1 << 16))]), None);
    }
}
