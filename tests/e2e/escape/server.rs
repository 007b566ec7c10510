//! What somebody who got out would find: servers of this machine, and how often they were asked.

use std::{
    io::{Read, Write},
    net::{TcpListener, UdpSocket},
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener},
    },
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// How often it was asked.
#[derive(Clone, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    fn up(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Says hello to whoever connects.
pub fn tcp() -> (u16, Count) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().port(), greets(move || Ok(listener.accept()?.0)))
}

/// The same on a socket in the file system, or, by name, in none.
pub fn local(path: &Path) -> Count {
    let listener = UnixListener::bind(path).unwrap();
    greets(move || Ok(listener.accept()?.0))
}

pub fn unseen(name: &str) -> Count {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name).unwrap()).unwrap();
    greets(move || Ok(listener.accept()?.0))
}

fn greets<C: Write>(accept: impl Fn() -> std::io::Result<C> + Send + 'static) -> Count {
    let count = Count::default();
    let noted = count.clone();
    thread::spawn(move || {
        while let Ok(mut connection) = accept() {
            noted.up();
            let _ = connection.write_all(b"hello");
        }
    });
    count
}

/// Answers every packet with what `answer` makes of it.
pub fn udp(answer: fn(&[u8]) -> Vec<u8>) -> (u16, Count) {
    let (socket, count) = (UdpSocket::bind("127.0.0.1:0").unwrap(), Count::default());
    let (port, noted) = (socket.local_addr().unwrap().port(), count.clone());
    thread::spawn(move || {
        let mut packet = [0; 512];
        while let Ok((size, from)) = socket.recv_from(&mut packet) {
            noted.up();
            let _ = socket.send_to(&answer(&packet[..size]), from);
        }
    });
    (port, count)
}

/// A name server's answer to a question for one name (RFC 1035): 192.0.2.7, whatever the name is.
pub fn named(query: &[u8]) -> Vec<u8> {
    let end = query[12..].iter().position(|byte| *byte == 0).map_or(query.len(), |at| 12 + at + 5);
    let mut answer = [&query[..2], &[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0], &query[12..end]].concat();
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    answer
}

/// An HTTP server that gives everybody the same answer.
pub fn http(answer: String) -> (u16, Count) {
    http_of(move |_| answer.clone())
}

/// One whose answers are counted, from 1.
pub fn http_of(answer: impl Fn(usize) -> String + Send + 'static) -> (u16, Count) {
    let (listener, count) = (TcpListener::bind("127.0.0.1:0").unwrap(), Count::default());
    let (port, noted) = (listener.local_addr().unwrap().port(), count.clone());
    thread::spawn(move || {
        for mut connection in listener.incoming().flatten() {
            noted.up();
            let _ = connection.read(&mut [0; 4096]);
            let _ = connection.write_all(answer(noted.get()).as_bytes());
        }
    });
    (port, count)
}

pub fn ok(text: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}", text.len())
}

pub fn moved(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
