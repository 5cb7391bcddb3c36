//! What a peer of the tuntap router sends: its stream in pieces, its frames, its packets and its own rules.

#![no_main]

use libfuzzer_sys::fuzz_target;
use routers::tuntap::frame::{Decoder, Frame};
use routers::tuntap::talk;
use routers::tuntap::{Action, Admission, Chain, Chains, Grant, Policy, Router, Settings, Verdict};

const PACKET_MAX: usize = 2048;

fuzz_target!(|bytes: &[u8]| {
    let Some((pieces, mut stream)) = bytes.split_first_chunk::<4>() else { return };
    let mut router = router();
    let id = router.connect(1001).expect("it has an address and a place");
    let mut decoder = Decoder::new(PACKET_MAX);
    for piece in pieces.iter().cycle() {
        if stream.is_empty() {
            break;
        }
        let room = decoder.room();
        let piece = (usize::from(*piece) + 1).min(room.len()).min(stream.len());
        room[..piece].copy_from_slice(&stream[..piece]);
        stream = &stream[piece..];
        decoder.received(piece);
        loop {
            match decoder.next_frame() {
                Ok(Some(Frame::Packet(packet))) => {
                    assert!(packet.len() <= PACKET_MAX);
                    // There is no other peer, and no other router.
                    assert!(matches!(router.from_peer(id, packet), Verdict::Tun | Verdict::Drop(_)));
                }
                Ok(Some(Frame::Rules(table))) if router.upload(id, table).is_err() => return,
                Ok(Some(Frame::Rules(_) | Frame::Greeting | Frame::Hello)) => (),
                Ok(Some(Frame::Message(payload))) => drop(talk::decode::<talk::Say>(payload)),
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
});

fn router() -> Router {
    let settings = Settings {
        policy: Policy::Standard,
        admission: Admission::Granted,
        hosts: vec![[10, 0, 0, 1].into()],
        networks: Vec::new(),
        nameservers: Vec::new(),
        peers_max: 1,
        peers_of_user_max: 1,
    };
    let chain = || Chain::new(Vec::new(), Vec::new(), Action::Allow).expect("no rule is not too many");
    let chains = Chains { incoming: chain(), outgoing: chain(), routes: None };
    let mut router = Router::new(settings, chains);
    router.give(Grant::parse("uid=1001 addr=10.0.0.5,2001:db8::5").expect("a grant")).expect("of nobody else");
    router
}
