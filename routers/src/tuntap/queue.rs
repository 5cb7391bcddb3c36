//! Pure. Packets that wait for a receiver: a ring of bounded size, which is all memory that one peer can make us hold.

use std::collections::VecDeque;

/// Packets, oldest first.
#[derive(Debug)]
pub struct Queue {
    bytes: VecDeque<u8>,
    lengths: VecDeque<usize>,
    bytes_max: usize,
    /// Bytes of the oldest packet that have gone already.
    gone: usize,
}

/// The queue has no room for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// A queue of so many bytes at most, packets of no byte aside.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: VecDeque::new(), lengths: VecDeque::new(), bytes_max, gone: 0 }
    }

    /// Puts a packet behind the others, made of its header (if the receiver wants one) and itself.
    ///
    /// # Errors
    /// No room.
    pub fn push(&mut self, header: &[u8], packet: &[u8]) -> Result<(), Full> {
        let length = header.len() + packet.len();
        if length == 0 || self.bytes.len() + length > self.bytes_max {
            return Err(Full);
        }
        self.bytes.extend(header);
        self.bytes.extend(packet);
        self.lengths.push_back(length);
        Ok(())
    }

    /// What is left of the oldest packet, which may be in two pieces.
    pub fn front(&self) -> Option<(&[u8], &[u8])> {
        let left = self.lengths.front()? - self.gone;
        let (first, second) = self.bytes.as_slices();
        let cut = first.len().min(left);
        Some((&first[..cut], &second[..left - cut]))
    }

    /// Drops the oldest packet: it went, as one, or nobody takes it. Its length without what had gone before.
    pub fn pop(&mut self) -> Option<usize> {
        let left = self.lengths.pop_front()? - self.gone;
        self.bytes.drain(..left);
        self.gone = 0;
        Some(left)
    }

    /// Everything as one stream, in two pieces.
    pub fn stream(&self) -> (&[u8], &[u8]) {
        self.bytes.as_slices()
    }

    /// So many bytes of the stream went.
    ///
    /// # Panics
    /// More than there are.
    pub fn sent(&mut self, mut bytes: usize) {
        assert!(bytes <= self.bytes.len(), "more bytes than there are");
        self.bytes.drain(..bytes);
        while let Some(length) = self.lengths.front() {
            let left = length - self.gone;
            if bytes < left {
                break;
            }
            (bytes, self.gone) = (bytes - left, 0);
            self.lengths.pop_front();
        }
        self.gone += bytes;
    }

    /// Bytes that it has room for.
    pub fn room(&self) -> usize {
        self.bytes_max.saturating_sub(self.bytes.len())
    }

    /// Packets that wait.
    pub fn packets(&self) -> usize {
        self.lengths.len()
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined((first, second): (&[u8], &[u8])) -> Vec<u8> {
        [first, second].concat()
    }

    /// Row W6.
    #[test]
    fn what_has_no_room_is_refused_whole() {
        let mut queue = Queue::new(10);
        assert_eq!(queue.push(&[0; 4], &[1; 4]), Ok(()));
        assert_eq!(queue.push(&[], &[2; 3]), Err(Full));
        assert_eq!((queue.packets(), queue.bytes(), queue.room()), (1, 8, 2));
        assert_eq!(queue.push(&[], &[2; 2]), Ok(()));
        assert_eq!(queue.push(&[], &[2; 1]), Err(Full));
    }

    #[test]
    fn a_stream_may_stop_in_the_midst_of_a_packet() {
        let mut queue = Queue::new(100);
        for packet in [&[1, 2, 3][..], &[4, 5], &[6, 7, 8]] {
            queue.push(&[], packet).unwrap();
        }
        queue.sent(4);
        assert_eq!(queue.front().map(joined), Some(vec![5]));
        assert_eq!((queue.packets(), queue.bytes()), (2, 4));
        assert_eq!(queue.pop(), Some(1));
        assert_eq!(queue.front().map(joined), Some(vec![6, 7, 8]));
    }

    proptest! {
        #[test]
        fn whatever_was_taken_comes_out_once_and_in_order(
            steps in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), 0usize..60), 1..60),
        ) {
            let mut queue = Queue::new(120);
            let (mut taken, mut came) = (Vec::new(), Vec::new());
            for (packet, sent) in steps {
                if queue.push(&[7], &packet).is_ok() {
                    taken.push(7);
                    taken.extend(&packet);
                }
                let stream = joined(queue.stream());
                let sent = sent.min(stream.len());
                came.extend(&stream[..sent]);
                queue.sent(sent);
                prop_assert!(queue.bytes() <= 120 && (queue.bytes() == 0) == (queue.packets() == 0));
            }
            came.extend(joined(queue.stream()));
            prop_assert_eq!(came, taken);
        }
    }
}
