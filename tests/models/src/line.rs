//! How an answer goes on the line: in pieces, and perhaps not to its end.

use crate::{Fault, Point};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::{Response, body::Frame};
use serde_json::Value;
use std::io;
use tokio::sync::watch;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// A status, headers and what comes after them.
pub(crate) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Script,
}

/// A body in its order.
#[derive(Default)]
pub(crate) struct Script {
    pub opening: Vec<Bytes>,
    /// What of it is the model's.
    pub deltas: Vec<Bytes>,
    pub closing: Vec<Bytes>,
}

impl Answer {
    pub fn json(status: u16, body: &Value) -> Self {
        Self::whole(status, "application/json", body.to_string())
    }

    /// A body of known length; its two halves count as deltas.
    pub fn whole(status: u16, media_type: &str, body: String) -> Self {
        let length = body.len().to_string();
        let mut first = Bytes::from(body);
        let second = first.split_off(first.len() / 2);
        let headers = vec![("content-type", media_type.to_owned()), ("content-length", length)];
        Self { status, headers, body: Script { deltas: vec![first, second], ..Script::default() } }
    }

    pub fn events(body: Script) -> Self {
        Self { status: 200, headers: vec![("content-type", "text/event-stream".into())], body }
    }

    pub fn with(mut self, headers: Vec<(&'static str, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// What a proxy says for a provider that it could not reach, or would not ask.
    pub fn gateway(status: u16) -> Self {
        let page = format!(
            "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n\
             <hr><center>proxy</center>\r\n</body>\r\n</html>\r\n"
        );
        Self::whole(status, "text/html", page)
    }

    pub fn page() -> Self {
        let page = "<!doctype html><title>Welcome</title><p>Please accept our terms to go online.</p>".to_owned();
        Self::whole(200, "text/html; charset=utf-8", page)
    }

    /// The same with the second byte of each `é` left out.
    pub fn halved(mut self) -> Self {
        const E: &[u8] = "é".as_bytes();
        let script = &mut self.body;
        for piece in script.opening.iter_mut().chain(&mut script.deltas).chain(&mut script.closing) {
            while let Some(at) = piece.windows(2).position(|pair| pair == E) {
                let mut bytes = piece.to_vec();
                bytes.remove(at + 1);
                *piece = bytes.into();
            }
        }
        if let Some((_, length)) = self.headers.iter_mut().find(|(name, _)| *name == "content-length") {
            let script = &self.body;
            *length = script.deltas.iter().map(Bytes::len).sum::<usize>().to_string();
        }
        self
    }

    /// Sends it as far as the fault lets it, the last delta of a stream when it is no longer held back.
    ///
    /// # Errors
    /// The connection is to end without an answer.
    pub async fn send(self, fault: Option<&Fault>, held: watch::Receiver<bool>) -> io::Result<Response<Body>> {
        match fault {
            Some(Fault::Hang(Point::Nothing)) => return std::future::pending().await,
            Some(Fault::Cut(Point::Nothing)) => return Err(cut()),
            _ => {}
        }
        let mut response = Response::builder().status(self.status);
        for (name, value) in &self.headers {
            response = response.header(*name, value);
        }
        let whole = self.headers.iter().any(|(name, _)| *name == "content-length");
        let Script { opening, mut deltas, closing } = self.body;
        let end: stream::BoxStream<_> = match fault {
            Some(Fault::Hang(_)) => stream::pending().boxed(),
            Some(Fault::Cut(_)) => stream::once(written()).map(|()| Err(cut())).boxed(),
            _ => stream::empty().boxed(),
        };
        let body = match fault {
            Some(Fault::Hang(Point::Headers) | Fault::Cut(Point::Headers)) => end,
            Some(Fault::Hang(point) | Fault::Cut(point) | Fault::Short(point)) => {
                match (point, deltas.as_mut_slice()) {
                    // They don't come in pieces there.
                    (Point::Arguments, [only]) => only.truncate(only.len() / 2),
                    (Point::Arguments, all) => {
                        let half = all.len() / 2;
                        deltas.truncate(half);
                    }
                    _ => deltas.truncate(1),
                }
                in_parts(opening.into_iter().chain(deltas).collect()).chain(end).boxed()
            }
            _ => {
                let last = deltas.pop();
                let before = opening.into_iter().chain(deltas).collect();
                let after = last.into_iter().chain(closing).collect();
                let gate = stream::once(released(held, whole)).filter_map(|()| async { None });
                in_parts(before).chain(gate).chain(in_parts(after)).boxed()
            }
        };
        response.body(StreamBody::new(body.map(|part| part.map(Frame::data))).boxed_unsync()).map_err(io::Error::other)
    }
}

async fn released(mut held: watch::Receiver<bool>, whole: bool) {
    if !whole {
        // A server that is gone holds nothing back.
        let _ = held.wait_for(|held| !held).await;
    }
}

/// The connection writes what it has whenever there is no more at once.
async fn written() {
    tokio::task::yield_now().await;
}

fn cut() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "cut, as the test wants it")
}

/// Each piece on its own, and in two where it has a character of several bytes: between these.
fn in_parts(pieces: Vec<Bytes>) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let parts = pieces.into_iter().flat_map(|mut piece| {
        let first = if piece.is_ascii() { None } else { piece.iter().position(|byte| !byte.is_ascii()) };
        let inside = first.map_or(piece.len(), |at| at + 1);
        let rest = piece.split_off(inside);
        [piece, rest].into_iter().filter(|part| !part.is_empty())
    });
    stream::iter(parts).then(|part| async {
        written().await;
        Ok(part)
    })
}
