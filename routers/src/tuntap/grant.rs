//! Pure. Addresses that the administrator gives to tenants: `uid=1001 addr=10.0.0.5[,…] [name=shop]`.

use core::net::IpAddr;

use super::packet::{is_martian, is_multicast};
use super::words::{Word, Words, Wrong};

/// Most addresses of one tenant: each of its packets is held against them.
pub const ADDRESSES_MAX: usize = 16;

const FORM: &str = "write: uid=1001 addr=10.0.0.5[,ADDRESS…] [name=NAME]";

/// Addresses of a tenant, which nobody else gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who may have them: the user that the peer runs as.
    pub uid: u32,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
    /// The tenant's name in rules and stats; the number of the user if none is given.
    pub name: String,
}

impl Grant {
    /// A value of `tuntap-router-peer`.
    ///
    /// # Errors
    /// The first thing wrong.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let mut words = Words::new(text);
        let (mut uid, mut addresses, mut name) = (None, None, None);
        for word in words.by_ref() {
            let (key, Some(value)) = word.split('=') else {
                return Err(word.wrong("a key without a value", FORM));
            };
            match key.text {
                "uid" => once(key, &mut uid, value.number("write the number of the user")?)?,
                "addr" => once(key, &mut addresses, parse_addresses(value)?)?,
                "name" if !value.text.is_empty() => once(key, &mut name, value.text.to_owned())?,
                "name" => return Err(word.wrong("a name without a letter", FORM)),
                other => return Err(key.wrong(format!("`{other}` is no part of a peer"), FORM)),
            }
        }
        let uid: u32 = uid.ok_or_else(|| words.missing("`uid` is missing", FORM))?;
        let addresses = addresses.ok_or_else(|| words.missing("`addr` is missing", FORM))?;
        Ok(Self { uid, addresses, name: name.unwrap_or_else(|| uid.to_string()) })
    }

    /// Whether a tenant's peer has its addresses before its first packet: one of each version at most.
    pub(super) fn is_plain(&self) -> bool {
        let of_v4 = self.addresses.iter().filter(|address| address.is_ipv4()).count();
        of_v4 <= 1 && self.addresses.len() - of_v4 <= 1
    }
}

fn once<T>(key: Word, place: &mut Option<T>, value: T) -> Result<(), Wrong> {
    match place.replace(value) {
        Some(_) => Err(key.wrong(format!("`{}` stands there twice", key.text), "leave one of them")),
        None => Ok(()),
    }
}

fn parse_addresses(list: Word) -> Result<Vec<IpAddr>, Wrong> {
    let (mut addresses, mut rest) = (Vec::new(), Some(list));
    while let Some(one) = rest {
        let (word, behind) = one.split(',');
        let address = word.address()?;
        if is_martian(address) || is_multicast(address) {
            return Err(word.wrong(format!("{address} is no address of a host"), FORM));
        }
        if addresses.contains(&address) {
            return Err(word.wrong(format!("{address} stands there twice"), "leave one of them"));
        }
        if addresses.len() == ADDRESSES_MAX {
            return Err(
                word.wrong(format!("more than {ADDRESSES_MAX} addresses of one tenant"), "give it fewer")
            );
        }
        addresses.push(address);
        rest = behind;
    }
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_gets_its_addresses_and_a_name() {
        let grant = Grant::parse("uid=1001 addr=10.0.0.5,2001:db8::5 name=shop").unwrap();
        let addresses = vec!["10.0.0.5".parse().unwrap(), "2001:db8::5".parse().unwrap()];
        assert_eq!(grant, Grant { uid: 1001, addresses, name: "shop".into() });
        assert_eq!(Grant::parse("addr=10.0.0.5  uid=1001").unwrap().name, "1001");
    }

    #[test]
    fn each_mistake_is_shown_where_it_stands() {
        for (text, meant) in [
            ("", ""),
            ("uid=1001", ""),
            ("addr=10.0.0.5", ""),
            ("uid=alice addr=10.0.0.5", "alice"),
            ("uid=-1 addr=10.0.0.5", "-1"),
            ("uid=4294967296 addr=10.0.0.5", "4294967296"),
            ("uid=1001 addr=10.0.0", "10.0.0"),
            ("uid=1001 addr=10.0.0.5,", ""),
            ("uid=1001 addr=10.0.0.5,10.0.0.5", "10.0.0.5"),
            ("uid=1001 addr=224.0.0.1", "224.0.0.1"),
            ("uid=1001 addr=127.0.0.1", "127.0.0.1"),
            ("uid=1001 addr=10.0.0.5 name=", "name="),
            ("uid=1001 uid=1002 addr=10.0.0.5", "uid"),
            ("uid=1001 addr=10.0.0.5 gid=5", "gid"),
            ("uid=1001 10.0.0.5", "10.0.0.5"),
        ] {
            let wrong = Grant::parse(text).expect_err(text);
            assert_eq!(&text[wrong.span.clone()], meant, "{text}: {wrong}");
        }
    }
}
