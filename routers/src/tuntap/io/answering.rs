//! What the sender of a packet hears that is too long for its receiver.

use super::super::too_big::{ANSWER_MAX, answer};
use super::super::{PeerId, Reason, Verdict};
use super::life::Service;
use super::traffic::Parcel;
use crate::clock::now_ms;
use crate::ration::Ration;

/// At once, and then one each so many milliseconds (RFC 4443, 2.4).
const ANSWERS: (u64, u64) = (10, 100);

/// What somebody is told, at most.
pub(super) fn ration() -> Ration {
    Ration::new(ANSWERS.0, ANSWERS.1)
}

impl Service {
    /// A peer sends at its own expense; what comes from elsewhere is at that of whom it is for.
    pub(super) fn tell_too_big(&mut self, receiver: PeerId, most: usize, parcel: &Parcel<'_>) {
        let payer = if let Verdict::Peer(sender) = parcel.back { sender } else { receiver };
        let connection = self.seats.of(payer).and_then(|seat| self.seats.get_mut(seat));
        let mut room = [0; ANSWER_MAX];
        let mtu = u16::try_from(most).unwrap_or(u16::MAX);
        let Some(answer) = answer(parcel.bytes, mtu, &mut room) else { return };
        if !connection.is_some_and(|connection| connection.answers.take(now_ms())) {
            return;
        }
        if let Verdict::Peer(sender) = parcel.back {
            self.router.answered(sender, answer.len());
        }
        self.deliver(parcel.back, Parcel::plain(answer, Verdict::Drop(Reason::TooLong)));
    }
}
