//! One question to a name server, over UDP: as much of RFC 1035 as that takes.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::timeout;

const ID: [u8; 2] = [0x48, 0x53];
const A: [u8; 2] = [0, 1];
const IN: [u8; 2] = [0, 1];

/// Addresses of a name, with how long a cache may keep each; none if nobody answers.
pub(crate) async fn addresses(server: SocketAddr, name: &str) -> Vec<(Ipv4Addr, u32)> {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(server).await.unwrap();
    if socket.send(&question(name)).await.is_err() {
        return Vec::new();
    }
    let mut answer = [0; 1500];
    let received = timeout(Duration::from_secs(1), socket.recv(&mut answer)).await;
    match received {
        Ok(Ok(length)) => read(&answer[..length], question(name).len()),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

fn question(name: &str) -> Vec<u8> {
    // Recursion is not asked for; one question.
    let mut bytes = [ID.as_slice(), &[0, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend_from_slice(&[A, IN].concat());
    bytes
}

/// The records after the question, whose names are pointers to it.
fn read(answer: &[u8], start: usize) -> Vec<(Ipv4Addr, u32)> {
    assert_eq!(answer[..2], ID);
    assert_eq!(answer[3] & 0x0f, 0, "an error: {answer:?}");
    let count = usize::from(u16::from_be_bytes([answer[6], answer[7]]));
    let records = answer[start..].chunks_exact(16).take(count);
    records
        .map(|record| {
            let (head, address) = record.split_at(12);
            assert_eq!(head[2..6], [A, IN].concat(), "no address: {record:?}");
            let ttl = u32::from_be_bytes(head[6..10].try_into().unwrap());
            let address: [u8; 4] = address.try_into().unwrap();
            (Ipv4Addr::from(address), ttl)
        })
        .collect()
}
