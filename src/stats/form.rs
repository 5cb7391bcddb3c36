//! Pure. The document behind a header of HTTP: what is asked for, and what stands before it.

/// Bytes of a request that are read at most.
pub const REQUEST_MAX: usize = 8 << 10;

/// As uWSGI's, but no page of another origin may read it.
pub const HEADER: &[u8] = b"HTTP/1.0 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\n\r\n";

/// What somebody has asked for so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing whole.
    NotYet,
    /// The document behind a header.
    Request,
    /// The document alone: who ends without a word knows nothing of HTTP.
    Bare,
}

/// Judges what came, and whether nothing more will.
pub fn judge(request: &[u8], ended: bool) -> Asked {
    let ends = [&b"\r\n\r\n"[..], b"\n\n"];
    let whole = ends.iter().any(|end| request.windows(end.len()).any(|part| part == *end));
    if request.is_empty() && ended {
        Asked::Bare
    } else if whole || ended || request.len() >= REQUEST_MAX {
        Asked::Request
    } else {
        Asked::NotYet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_ends_with_an_empty_line_or_with_whoever_asks() {
        for (request, ended, asked) in [
            (&b""[..], false, Asked::NotYet),
            (b"", true, Asked::Bare),
            (b"GET / HTTP/1.1\r\nHost: x\r\n", false, Asked::NotYet),
            (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", false, Asked::Request),
            (b"GET /\n\n", false, Asked::Request),
            (b"GET /", true, Asked::Request),
            (&[b'x'; REQUEST_MAX], false, Asked::Request),
        ] {
            assert_eq!(judge(request, ended), asked, "{} {ended}", String::from_utf8_lossy(request));
        }
    }
}
