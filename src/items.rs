//! Pure. The items of uWSGI's packets: each has its length (16 bits, little endian) before it.

/// Takes the next item off; `None` where it is cut short.
pub fn item<'d>(rest: &mut &'d [u8]) -> Option<&'d [u8]> {
    let (length, tail) = rest.split_first_chunk()?;
    let (item, tail) = tail.split_at_checked(u16::from_le_bytes(*length).into())?;
    *rest = tail;
    Some(item)
}

/// Adds an item; `None` where it is too long for its length.
pub fn add_item(bytes: &mut Vec<u8>, item: &[u8]) -> Option<()> {
    bytes.extend(u16::try_from(item.len()).ok()?.to_le_bytes());
    bytes.extend(item);
    Some(())
}
