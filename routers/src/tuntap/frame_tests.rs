use proptest::prelude::*;

use super::*;

/// A frame that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kept {
    Greeting,
    Packet(Vec<u8>),
    Rules(Vec<u8>),
    Message(Vec<u8>),
}

impl Kept {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Greeting => GREETING.to_vec(),
            Self::Packet(payload) => [&packet_header(payload.len()).unwrap()[..], payload].concat(),
            Self::Rules(payload) => [&rules_header(payload.len()).unwrap()[..], payload].concat(),
            Self::Message(payload) => [&message_header(payload.len()).unwrap()[..], payload].concat(),
        }
    }
}

/// Gives a stream to a decoder in pieces of these lengths, again and again.
fn decode(stream: &[u8], packet_max: usize, pieces: &[usize]) -> (Vec<Kept>, Result<(), Breach>) {
    let (mut decoder, mut frames, mut left) = (Decoder::new(packet_max), Vec::new(), stream);
    for piece in pieces.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let room = decoder.room();
        let piece = (*piece).min(left.len()).min(room.len());
        room[..piece].copy_from_slice(&left[..piece]);
        left = &left[piece..];
        decoder.received(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(Frame::Greeting)) => frames.push(Kept::Greeting),
                Ok(Some(Frame::Packet(payload))) => frames.push(Kept::Packet(payload.to_vec())),
                Ok(Some(Frame::Rules(payload))) => frames.push(Kept::Rules(payload.to_vec())),
                Ok(Some(Frame::Hello)) => frames.push(Kept::Rules(HELLO.to_vec())),
                Ok(Some(Frame::Message(payload))) => frames.push(Kept::Message(payload.to_vec())),
                Ok(None) => break,
                Err(breach) => return (frames, Err(breach)),
            }
        }
    }
    (frames, Ok(()))
}

#[test]
fn a_header_is_what_uwsgi_has() {
    assert_eq!(packet_header(0x1234), Some([0, 0x34, 0x12, 0]));
    assert_eq!(rules_header(72), Some([0, 72, 0, 1]));
    assert_eq!(packet_header(PAYLOAD_MAX + 1), None);
}

/// Row W1.
#[test]
fn a_frame_that_is_too_long_ends_its_peer_before_it_has_come() {
    assert_eq!(decode(&[0, 0xdc, 5, 0], 1500, &[4]), (vec![], Ok(())));
    assert_eq!(decode(&[0, 0xdd, 5, 0], 1500, &[4]), (vec![], Err(Breach::TooLong(1501))));
    assert_eq!(decode(&[0, 0xff, 0xff, 0], 1500, &[1]), (vec![], Err(Breach::TooLong(65_535))));
    assert_eq!(decode(&[0, 0xff, 0xff, 0], PAYLOAD_MAX, &[1]), (vec![], Ok(())));
}

/// Row W1.
#[test]
fn a_stream_that_is_none_ends_its_peer() {
    assert_eq!(decode(&[1], 1500, &[1]).1, Err(Breach::NoFrame(1)));
    assert_eq!(decode(&[0, 0, 0, 3], 1500, &[1]).1, Err(Breach::Kind(3)));
    assert_eq!(decode(b"GET / HTTP/1.0\r\n", 1500, &[16]).1, Err(Breach::NoFrame(b'G')));
    assert_eq!(decode(b"uwsgi-tunnel", 1500, &[12]).1, Err(Breach::NoFrame(b'u')));
    let late = [Kept::Packet(vec![1]).bytes(), GREETING.to_vec()].concat();
    assert_eq!(decode(&late, 1500, &[3]), (vec![Kept::Packet(vec![1])], Err(Breach::NoFrame(b'u'))));
}

#[test]
fn an_empty_frame_is_an_empty_packet() {
    assert_eq!(decode(&[0; 8], 1500, &[8]).0, [Kept::Packet(vec![]), Kept::Packet(vec![])]);
}

fn frames() -> impl Strategy<Value = Vec<Kept>> {
    let payload = || prop::collection::vec(any::<u8>(), 0..=100);
    let frame = prop_oneof![payload().prop_map(Kept::Packet), payload().prop_map(Kept::Rules)];
    (any::<bool>(), prop::collection::vec(frame, 0..20)).prop_map(|(greets, mut frames)| {
        if greets {
            frames.insert(0, Kept::Greeting);
        }
        frames
    })
}

proptest! {
    /// Row W1.
    #[test]
    fn a_stream_may_be_cut_anywhere(frames in frames(), pieces in prop::collection::vec(1usize..150, 1..8)) {
        let stream: Vec<u8> = frames.iter().flat_map(Kept::bytes).collect();
        prop_assert_eq!(decode(&stream, 100, &pieces), (frames, Ok(())));
    }

    /// Row W1.
    #[test]
    fn no_stream_makes_it_panic_or_stand_still(
        stream in prop::collection::vec(prop_oneof![3 => Just(0u8), 1 => any::<u8>()], 0..400),
        pieces in prop::collection::vec(1usize..150, 1..8),
    ) {
        let whole = decode(&stream, 100, &[1]);
        prop_assert_eq!(decode(&stream, 100, &pieces), whole);
    }
}
