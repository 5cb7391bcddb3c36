//! `http://`: one GET in HTTP/1.0, as uWSGI sends it: no redirects, no TLS, no answer in pieces.

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use super::{command, failed, stream};
use crate::config::FILE_MAX;

/// Bytes before the body.
const HEAD_MAX: usize = 16 << 10;
/// Addresses of one host that are tried.
const ADDRESSES_MAX: usize = 8;
/// The binary is static, and the resolver of the C library is not: it is asked for through its own program.
const GETENT: &str = "/usr/bin/getent";

/// Where to ask, and what for.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    /// `HOST[:PORT]`, as it stands there.
    authority: &'a str,
    host: &'a str,
    port: u16,
    path: String,
}

/// What the server has under an address (without its scheme).
///
/// # Errors
/// A sentence: the address is wrong, nobody answers in time, or the answer is no success.
pub fn get(address: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    let address = Address::parse(address).map_err(failed)?;
    let mut server = connect(&address, deadline)?;
    write!(
        server,
        "GET {} HTTP/1.0\r\nHost: {}\r\nUser-Agent: liege/{}\r\nConnection: close\r\n\r\n",
        address.path,
        address.authority,
        env!("CARGO_PKG_VERSION")
    )?;
    let mut answer = Vec::new();
    while answer.len() <= HEAD_MAX + FILE_MAX
        && stream::read_some(server.as_fd(), &mut answer, FILE_MAX, deadline)? > 0
    {}
    body(answer).map_err(failed)
}

impl<'a> Address<'a> {
    fn parse(address: &'a str) -> Result<Self, String> {
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| "the port is no number".to_owned())?)
            }
            _ => (authority, 80),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_name = |one: u8| one.is_ascii_alphanumeric() || b".-_:".contains(&one);
        if host.is_empty() || host.starts_with('-') || !host.bytes().all(is_name) {
            return Err("this is no name of a host".to_owned());
        }
        if path.bytes().any(|one| one <= b' ' || one == 0x7f) {
            return Err("no space may stand in the address: write %20".to_owned());
        }
        let path = if path.is_empty() { "/".to_owned() } else { path.to_owned() };
        Ok(Self { authority, host, port, path })
    }
}

fn connect(address: &Address<'_>, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = failed("this host has no address");
    for ip in resolve(address.host, deadline)?.into_iter().take(ADDRESSES_MAX) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        match TcpStream::connect_timeout(&SocketAddr::new(ip, address.port), left) {
            Ok(server) => {
                server.set_write_timeout(Some(left))?;
                return Ok(server);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn resolve(host: &str, deadline: Instant) -> io::Result<Vec<IpAddr>> {
    if let Ok(ip) = host.parse() {
        return Ok(vec![ip]);
    }
    let lines = command::output(&[GETENT, "ahosts", host], deadline)
        .map_err(|error| failed(format!("cannot find the address of {host}: {error}")))?;
    let mut addresses = Vec::new();
    for line in String::from_utf8_lossy(&lines).lines() {
        let ip = line.split_whitespace().next().and_then(|ip| ip.parse().ok());
        addresses.extend(ip.filter(|ip| !addresses.contains(ip)));
    }
    Ok(addresses)
}

/// What is behind the head of an answer, when that says success.
fn body(mut answer: Vec<u8>) -> Result<Vec<u8>, String> {
    let head = answer.windows(4).take(HEAD_MAX).position(|end| end == b"\r\n\r\n");
    let head = head.ok_or("the server does not speak HTTP")?;
    let rest = answer.split_off(head + 4);
    let head = String::from_utf8_lossy(&answer).to_ascii_lowercase();
    let status = head.strip_prefix("http/1.").and_then(|line| line.split(' ').nth(1));
    let status: u16 =
        status.and_then(|status| status.trim().parse().ok()).ok_or("the server does not speak HTTP")?;
    match status {
        200..300 if head.contains("\r\ntransfer-encoding:") => {
            Err("the server answers in pieces, though asked in HTTP/1.0; use exec://curl -fsS …".to_owned())
        }
        200..300 => Ok(rest),
        300..400 => Err(format!("the server answers {status}: redirects are not followed")),
        _ => Err(format!("the server answers {status}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_perhaps_a_port_and_a_path() {
        let parts =
            |text| Address::parse(text).map(|address| (address.host.to_owned(), address.port, address.path));
        let wanted = |host: &str, port, path: &str| Ok((host.to_owned(), port, path.to_owned()));
        assert_eq!(parts("a.b/x?y=1"), wanted("a.b", 80, "/x?y=1"));
        assert_eq!(parts("a.b:8080"), wanted("a.b", 8080, "/"));
        assert_eq!(parts("[::1]:81/"), wanted("::1", 81, "/"));
        assert_eq!(parts("[::1]/"), wanted("::1", 80, "/"));
        for wrong in ["", "/x", "a b/", "-v/", "a:b/", "me@a/", "a/x y", "a/\r\nX: 1", "a$(id)/"] {
            assert!(parts(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_success_in_one_piece_is_a_config() {
        let body =
            |text: &str| body(text.as_bytes().to_vec()).map(|text| String::from_utf8(text).expect("UTF-8"));
        assert_eq!(body("HTTP/1.1 200 OK\r\nA: b\r\n\r\n[uwsgi]\r\n\r\n"), Ok("[uwsgi]\r\n\r\n".into()));
        for wrong in [
            "HTTP/1.1 404 No\r\n\r\nx",
            "HTTP/1.1 302 Found\r\nLocation: file:///etc/shadow\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n",
            "220 mail ESMTP\r\n",
            "",
        ] {
            assert!(body(wrong).is_err(), "{wrong}");
        }
    }
}
