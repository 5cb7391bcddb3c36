//! Pure. One message as one packet: `postcard` encoded, of a length that both ends know, with nothing behind it.

use serde::{Serialize, de::DeserializeOwned};

/// The bytes of a message.
///
/// # Errors
/// It is longer than `most` bytes.
pub fn encode<T: Serialize>(message: &T, most: usize) -> Result<Vec<u8>, Malformed> {
    let bytes = postcard::to_stdvec(message).map_err(|_| Malformed)?;
    if bytes.len() > most { Err(Malformed) } else { Ok(bytes) }
}

/// The message of these bytes.
///
/// # Errors
/// Bytes that are no message of this set, or more than one.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(Malformed),
    }
}

/// A packet that is no message of those who talk here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed message")]
pub struct Malformed;
