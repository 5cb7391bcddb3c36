//! Pure. Bytes on their way: a buffer of fixed size that is filled at one end and emptied at the other.

/// A buffer; nothing is read for it while it has no room, so whoever sends has to wait.
#[derive(Debug)]
pub struct Stream {
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Stream {
    /// A buffer of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self { buffer: vec![0; bytes].into(), start: 0, end: 0 }
    }

    /// Where the next bytes go; empty when it is full.
    pub fn room(&mut self) -> &mut [u8] {
        if self.end == self.buffer.len() {
            self.close_up();
        }
        &mut self.buffer[self.end..]
    }

    /// All that is free is behind what waits.
    fn close_up(&mut self) {
        if self.start == 0 {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
    }

    /// So many bytes were put there.
    ///
    /// # Panics
    /// More than there was room for.
    pub fn filled(&mut self, bytes: usize) {
        assert!(bytes <= self.buffer.len() - self.end, "more bytes than room");
        self.end += bytes;
    }

    /// Puts these bytes in, as many as there is room for; how many that were.
    pub fn take(&mut self, bytes: &[u8]) -> usize {
        if bytes.len() > self.buffer.len() - self.end {
            self.close_up();
        }
        let room = self.room();
        let taken = bytes.len().min(room.len());
        room[..taken].copy_from_slice(&bytes[..taken]);
        self.filled(taken);
        taken
    }

    /// What waits.
    pub fn pending(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// So many bytes went.
    ///
    /// # Panics
    /// More than there were.
    pub fn sent(&mut self, bytes: usize) {
        assert!(bytes <= self.end - self.start, "more bytes than there are");
        self.start += bytes;
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Bytes that there is room for.
    pub fn free(&self) -> usize {
        self.buffer.len() - (self.end - self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_full_buffer_takes_nothing() {
        let mut stream = Stream::new(4);
        assert_eq!(stream.take(b"abcdef"), 4);
        assert_eq!((stream.room().len(), stream.free()), (0, 0));
        stream.sent(1);
        assert_eq!((stream.take(b"ef"), stream.pending()), (1, &b"bcde"[..]));
    }

    #[test]
    fn all_that_is_free_can_be_taken_at_once() {
        let mut stream = Stream::new(4);
        stream.take(b"abc");
        stream.sent(2);
        assert_eq!((stream.free(), stream.take(b"def"), stream.pending()), (3, 3, &b"cdef"[..]));
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(steps in prop::collection::vec((0usize..20, 0usize..20), 1..60)) {
            let (mut stream, mut put, mut got) = (Stream::new(16), Vec::<u8>::new(), Vec::<u8>::new());
            for (number, (length, sent)) in steps.into_iter().enumerate() {
                let bytes = vec![u8::try_from(number).unwrap(); length];
                let free = stream.free();
                let taken = stream.take(&bytes);
                prop_assert_eq!(taken, length.min(free));
                put.extend(&bytes[..taken]);
                let sent = sent.min(stream.pending().len());
                got.extend(&stream.pending()[..sent]);
                stream.sent(sent);
            }
            got.extend(stream.pending());
            prop_assert_eq!(put, got);
        }
    }
}
