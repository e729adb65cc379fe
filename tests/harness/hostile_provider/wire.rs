//! HTTP as it should not be: what comes is read honestly, what goes out may stall, drip, flood or break.

use std::{net::Ipv4Addr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::interval,
};

/// The longest request that anybody sends here.
const LONGEST_REQUEST: usize = 64 * 1024;

/// How fast an answer drips: far too slowly to end before anybody's patience.
const BETWEEN_DRIPS: Duration = Duration::from_millis(20);

/// A request, taken apart as far as a provider needs it.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: String,
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, but for those that the connection needs.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Reply {
    /// An answer with a body of this type.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body: body.into(),
        }
    }

    /// A JSON answer.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, "application/json", body.to_string())
    }

    /// A redirect to `location`.
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, "text/plain", "").header("location", location)
    }

    /// The same with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// What goes over the wire before the body, of which `length` bytes are said to follow, or any number.
    fn head(&self, length: Option<usize>) -> Vec<u8> {
        let status = format!("HTTP/1.1 {} Whatever\r\nconnection: close\r\n", self.status);
        let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let length = length.map(|length| format!("content-length: {length}\r\n"));
        let lines = std::iter::once(status).chain(headers).chain(length);
        lines.chain(["\r\n".to_owned()]).collect::<String>().into_bytes()
    }
}

/// `body` as gzip writes it (RFC 1952), in one stored block: the compression that nobody needs a library for.
pub(super) fn gzipped(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).expect("one block holds it");
    let head = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let checksum = !body.iter().fold(u32::MAX, |checksum, byte| {
        (0..8).fold(checksum ^ u32::from(*byte), |bits, _| {
            bits >> 1 ^ if bits & 1 == 1 { 0xEDB8_8320 } else { 0 }
        })
    });
    [
        &head,
        &length.to_le_bytes()[..],
        &(!length).to_le_bytes(),
        body,
        &checksum.to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}

/// How an answer gets to whoever asked.
#[derive(Clone, Debug)]
pub(super) enum Delivery {
    /// As it should.
    Whole(Reply),
    /// Exactly these bytes, and the connection ends.
    Bytes(Vec<u8>),
    /// Not at all, and the connection stays.
    Never,
    /// Its head, and then its body byte by byte, again and again.
    Drip(Reply),
    /// Its head, and then a body without an end.
    Flood(Reply),
    /// Its head and half of its body, and the connection ends.
    Half(Reply),
    /// The connection ends.
    Close,
    /// The connection is reset.
    Reset,
}

/// A free port of this machine.
pub(super) async fn bind() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port")
}

/// Reads the one request of this connection; `None` when it is none.
pub(super) async fn receive(stream: &mut TcpStream) -> Option<Request> {
    let mut received = Vec::new();
    let end_of_head = loop {
        if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if received.len() > LONGEST_REQUEST || stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(received[..end_of_head].to_vec()).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_length = name.eq_ignore_ascii_case("content-length");
        is_length.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let end = end_of_head + length.unwrap_or_default().min(LONGEST_REQUEST);
    while received.len() < end {
        if stream.read_buf(&mut received).await.ok()? == 0 {
            return None;
        }
    }
    let target = head.split(' ').nth(1)?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Some(Request {
        path: path.to_owned(),
        query: query.to_owned(),
        body: String::from_utf8(received[end_of_head..end].to_vec()).ok()?,
    })
}

/// Delivers an answer. Whoever hangs up before its end has had enough: that is no failure.
pub(super) async fn deliver(mut stream: TcpStream, delivery: Delivery) {
    let _ = match delivery {
        Delivery::Whole(reply) => {
            let all = [reply.head(Some(reply.body.len())), reply.body].concat();
            stream.write_all(&all).await
        }
        Delivery::Bytes(bytes) => stream.write_all(&bytes).await,
        Delivery::Never => std::future::pending().await,
        Delivery::Drip(reply) => drip(&mut stream, &reply).await,
        Delivery::Flood(reply) => flood(&mut stream, &reply).await,
        Delivery::Half(reply) => {
            let half = reply.body.len() / 2;
            let part = [reply.head(Some(reply.body.len())), reply.body[..half].to_vec()].concat();
            stream.write_all(&part).await
        }
        Delivery::Close => Ok(()),
        Delivery::Reset => stream.set_zero_linger(),
    };
    let _ = stream.shutdown().await;
}

async fn drip(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    stream.write_all(&reply.head(Some(usize::MAX / 4))).await?;
    let mut ticks = interval(BETWEEN_DRIPS);
    loop {
        ticks.tick().await;
        stream.write_all(b" ").await?;
    }
}

async fn flood(stream: &mut TcpStream, reply: &Reply) -> std::io::Result<()> {
    stream.write_all(&reply.head(None)).await?;
    loop {
        stream.write_all(&[b' '; 8 * 1024]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Were it no gzip, nobody could unpack it, and no row would see who does.
    #[test]
    fn what_is_compressed_can_be_unpacked() {
        let expected = [
            &[0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255][..], // RFC 1952 section 2.3
            &[1, 9, 0, 0xF6, 0xFF],                      // RFC 1951 section 3.2.4: the last block, stored
            b"123456789",
            &[0x26, 0x39, 0xF4, 0xCB, 9, 0, 0, 0], // the checksum that is everybody's example, and the length
        ];
        assert_eq!(gzipped(b"123456789"), expected.concat());
    }
}
