//! Traffic between jails and their host.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::thread::JoinHandle;

use crate::emperor::PATIENCE;
use crate::network::Network;

/// A server in a network that sends back whatever it gets, over TCP and UDP.
pub fn echo(network: &Network, address: &'static str) -> JoinHandle<()> {
    let (ready, is_ready) = std::sync::mpsc::channel();
    let server = network.beside(move || {
        let listener = TcpListener::bind(address).unwrap();
        let udp = UdpSocket::bind(address).unwrap();
        ready.send(()).unwrap();
        std::thread::spawn(move || {
            let mut bytes = [0; 65_536];
            while let Ok((length, sender)) = udp.recv_from(&mut bytes) {
                let _ = udp.send_to(&bytes[..length], sender);
            }
        });
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let _ = std::io::copy(&mut &stream, &mut writer);
            });
        }
    });
    is_ready.recv_timeout(PATIENCE).unwrap();
    server
}

/// A connection from a network.
pub fn connect(network: &Network, address: &str) -> std::io::Result<TcpStream> {
    let address = address.parse().unwrap();
    network.within(move || {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    })
}

/// Sends bytes, which must come back.
pub fn round_trip(mut stream: &TcpStream, bytes: usize) {
    let sent: Vec<u8> = (0..bytes).map(|index| index.to_le_bytes()[0] ^ index.to_le_bytes()[1]).collect();
    let writer = {
        let (mut stream, sent) = (stream.try_clone().unwrap(), sent.clone());
        std::thread::spawn(move || stream.write_all(&sent).unwrap())
    };
    let mut got = vec![0; bytes];
    stream.read_exact(&mut got).unwrap();
    writer.join().unwrap();
    assert!(got == sent, "other bytes came back");
}

/// A datagram there and back.
pub fn ping(network: &Network, address: &str) -> bool {
    let address = address.to_owned();
    network.within(move || {
        let any = if address.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
        let socket = UdpSocket::bind(any).unwrap();
        socket.set_read_timeout(Some(std::time::Duration::from_millis(500))).unwrap();
        (0..20).any(|_| {
            socket.send_to(b"ping", &address).is_ok()
                && socket.recv_from(&mut [0; 8]).is_ok_and(|(n, _)| n == 4)
        })
    })
}
