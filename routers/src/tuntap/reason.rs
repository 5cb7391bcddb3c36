//! Pure. Why a packet goes nowhere.

/// Why a packet was dropped; counted for each tenant under its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// It ends before its header does.
    Short,
    /// Neither version 4 nor 6.
    Version,
    /// Its header says a length that no header has.
    HeaderLength,
    /// It is not as long as it says.
    Length,
    /// An option of version 4 runs over the end of the header.
    Options,
    /// Extension headers of version 6: too many, out of order, or over the end.
    Extensions,
    /// A fragment that hides its ports, has an impossible length, or would end behind 65 535 bytes.
    Fragment,
    /// It ends before the header of its transport protocol does.
    Transport,
    /// The sender chose its way: it could go on to where no rule has looked (RFC 5095, RFC 7126).
    SourceRoute,
    /// An address that never travels: loopback, unspecified, version 4 in version 6.
    Martian,
    /// For many at once: nothing here is.
    Multicast,
    /// The source belongs to somebody else, or is not this peer's to take.
    Spoofed,
    /// The source is nobody's that this peer could be.
    NotGranted,
    /// For another tenant, whom no rule opens.
    Neighbour,
    /// A rule or the policy says so.
    Denied,
    /// A rule that the peer has made for itself says so.
    OwnRule,
    /// For a gateway that the administrator has not named.
    NoGateway,
    /// For an address that nobody holds.
    NoPeer,
    /// From a gateway that the administrator has not named.
    Stranger,
    /// It asks for a checksum or for segments where no kernel would.
    Offload,
    /// The receiver does not read as fast as is sent to it.
    QueueFull,
    /// Longer than its receiver takes.
    TooLong,
}

/// All reasons with their names, in the order of their declaration.
const NAMES: [(Reason, &str); REASONS] = [
    (Reason::Short, "short"),
    (Reason::Version, "version"),
    (Reason::HeaderLength, "header-length"),
    (Reason::Length, "length"),
    (Reason::Options, "options"),
    (Reason::Extensions, "extensions"),
    (Reason::Fragment, "fragment"),
    (Reason::Transport, "transport"),
    (Reason::SourceRoute, "source-route"),
    (Reason::Martian, "martian"),
    (Reason::Multicast, "multicast"),
    (Reason::Spoofed, "spoofed"),
    (Reason::NotGranted, "not-granted"),
    (Reason::Neighbour, "neighbour"),
    (Reason::Denied, "denied"),
    (Reason::OwnRule, "own-rule"),
    (Reason::NoGateway, "no-gateway"),
    (Reason::NoPeer, "no-peer"),
    (Reason::Stranger, "stranger"),
    (Reason::Offload, "offload"),
    (Reason::QueueFull, "queue-full"),
    (Reason::TooLong, "too-long"),
];

/// How many reasons there are.
pub const REASONS: usize = 22;

impl Reason {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(reason, _)| *reason)
    }

    /// Its place among all.
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name in stats and logs.
    pub fn name(self) -> &'static str {
        NAMES[self.index()].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_stands_at_its_own_place() {
        assert!(Reason::all().enumerate().all(|(index, reason)| reason.index() == index));
    }
}
