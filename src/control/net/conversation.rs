//! One connection to a router, question by question. Whoever is at the other end of that path is not trusted.

use std::fs::File;
use std::io::{IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use routers::tuntap::frame::{Decoder, Frame, PAYLOAD_MAX};
use routers::tuntap::talk::{self, RULES_TEXT_MAX, Say, Word};
use rustix::cmsg_space;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, fcntl_get_seals, memfd_create};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde_json::Value;

/// A router answers at once.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest table read, in bytes.
const TABLE_MAX: u64 = 256 << 20;
/// What a text that nobody can change any more has.
const SEALS: SealFlags =
    SealFlags::SEAL.union(SealFlags::WRITE).union(SealFlags::SHRINK).union(SealFlags::GROW);

/// A connection that was welcomed.
pub(super) struct Conversation {
    socket: UnixStream,
    decoder: Decoder,
    /// The descriptor that came along last: an answer too long for pieces.
    came: Option<OwnedFd>,
}

impl Conversation {
    /// Connects, and hears that it is a router of ours.
    ///
    /// # Errors
    /// Nobody is there, or somebody else.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let mut socket =
            UnixStream::connect(path).with_context(|| format!("cannot connect to {}", path.display()))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.write_all(&talk::hello())?;
        let mut conversation = Self { socket, decoder: Decoder::new(PAYLOAD_MAX), came: None };
        match conversation.hear().context("is it a router of liege?")? {
            Word::Welcome(_) => Ok(conversation),
            Word::Refused(why) => Err(anyhow!("{}", plain(&why))),
            _ => bail!("it answers something else than it was asked"),
        }
    }

    /// Who is there and what went by.
    ///
    /// # Errors
    /// It refuses or does not answer.
    pub(super) fn table(&mut self) -> Result<Value> {
        self.say(&Say::Table, None)?;
        let (text, _) = self.text(TABLE_MAX)?;
        serde_json::from_str(&text).context("the router's table is no JSON")
    }

    /// Rules in force, one a line, and their number.
    ///
    /// # Errors
    /// As above.
    pub(super) fn rules(&mut self) -> Result<(String, u64)> {
        self.say(&Say::Rules, None)?;
        self.text(RULES_TEXT_MAX)
    }

    /// Puts these in force, and returns their number.
    ///
    /// # Errors
    /// As above, or others are in force by now than those of this number.
    pub(super) fn replace(&mut self, text: &str, generation: Option<u64>) -> Result<u64> {
        let mut memory = File::from(memfd_create(c"rules", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
        memory.write_all(text.as_bytes())?;
        fcntl_add_seals(&memory, SEALS)?;
        self.say(&Say::Replace { generation }, Some(&memory))?;
        match self.hear()? {
            Word::Done(generation) => Ok(generation),
            Word::Refused(why) => Err(anyhow!("{}", plain(&why))),
            _ => bail!("the router answers something else than it was asked"),
        }
    }

    fn say(&mut self, what: &Say, along: Option<&File>) -> Result<()> {
        let bytes = talk::encode(what)?;
        let along: Vec<_> = along.iter().map(|file| file.as_fd()).collect();
        jail::run::send(&self.socket, &bytes, &along).context("cannot ask the router")
    }

    fn text(&mut self, longest: u64) -> Result<(String, u64)> {
        match self.hear()? {
            Word::Text(generation) => {
                let file = self.came.take().context("the router sends no text")?;
                Ok((read_sealed(file, longest)?, generation))
            }
            Word::Piece { generation, bytes, is_last } => {
                Ok((self.rest(bytes, is_last, longest)?, generation))
            }
            Word::Refused(why) => Err(anyhow!("{}", plain(&why))),
            _ => bail!("the router answers something else than it was asked"),
        }
    }

    /// A text whose first piece has come.
    fn rest(&mut self, mut text: Vec<u8>, mut is_whole: bool, longest: u64) -> Result<String> {
        while !is_whole {
            let Word::Piece { bytes, is_last, .. } = self.hear()? else {
                bail!("the router answers something else in the midst of its answer");
            };
            ensure!(!bytes.is_empty() || is_last, "the router sends nothing, piece by piece");
            text.extend(bytes);
            ensure!(text.len() as u64 <= longest, "the router's answer is too long");
            is_whole = is_last;
        }
        String::from_utf8(text).context("the router's answer is no text")
    }

    /// The next message; nothing else is sent to whoever has no address.
    fn hear(&mut self) -> Result<Word> {
        loop {
            match self.decoder.next_frame()? {
                Some(Frame::Message(payload)) => return Ok(talk::decode(payload)?),
                Some(_) => bail!("something came that is no answer"),
                None => {}
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<()> {
        let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let room = &mut [IoSliceMut::new(self.decoder.room())];
        let received = recvmsg(&self.socket, room, &mut control, RecvFlags::CMSG_CLOEXEC);
        let bytes = received.context("the router does not answer")?.bytes;
        ensure!(bytes > 0, "the router has closed the connection");
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                descriptors.for_each(|descriptor| self.came = Some(descriptor));
            }
        }
        self.decoder.received(bytes);
        Ok(())
    }
}

/// A descriptor may be anything: one that is sealed is memory, which answers at once and stays as it is.
fn read_sealed(file: OwnedFd, longest: u64) -> Result<String> {
    let needed = SealFlags::WRITE | SealFlags::SHRINK;
    let is_sealed = fcntl_get_seals(&file).is_ok_and(|seals| seals.contains(needed));
    ensure!(is_sealed, "the router sends something that may change");
    let file = File::from(file);
    let length = file.metadata()?.len();
    ensure!(length <= longest, "the router's answer is too long: {length} bytes");
    let mut bytes = vec![0; usize::try_from(length)?];
    std::os::unix::fs::FileExt::read_exact_at(&file, &mut bytes, 0).context("cannot read the answer")?;
    String::from_utf8(bytes).context("the router's answer is no text")
}

/// Nothing in it can move the cursor.
fn plain(text: &str) -> String {
    crate::control::fetch::plain(&text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is made of these words, where a text may have ten bytes.
    fn heard(words: &[Word]) -> Result<(String, u64)> {
        let (socket, mut router) = UnixStream::pair()?;
        words
            .iter()
            .try_for_each(|word| router.write_all(&talk::encode(word)?).map_err(anyhow::Error::from))?;
        drop(router);
        Conversation { socket, decoder: Decoder::new(PAYLOAD_MAX), came: None }.text(10)
    }

    fn piece(text: &str, is_last: bool) -> Word {
        Word::Piece { generation: 7, bytes: text.into(), is_last }
    }

    #[test]
    fn a_text_comes_in_pieces_and_no_longer_than_is_read() {
        assert_eq!(heard(&[piece("", true)]).unwrap(), (String::new(), 7));
        assert_eq!(heard(&[piece("01234", false), piece("56789", true)]).unwrap(), ("0123456789".into(), 7));
        let wrong: [(&[Word], &str); 5] = [
            (&[piece("01234", false), piece("567890", true)], "too long"),
            (&[piece("01", false), piece("", false)], "nothing"),
            (&[piece("01", false), Word::Done(8)], "something else"),
            (&[piece("01", false)], "closed the connection"),
            (&[Word::Text(7)], "no text"),
        ];
        for (words, why) in wrong {
            let said = format!("{:#}", heard(words).unwrap_err());
            assert!(said.contains(why), "{said}");
        }
    }
}
