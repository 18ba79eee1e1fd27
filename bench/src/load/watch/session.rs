//! One connection: opens its streams at once, and notes what they are told until it is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::board::{Board, Notes};
use super::frames::{self, Head};
use super::splitter::Splitter;
use crate::marker;

/// What is read at once, bytes.
const ROOM: usize = 64 * 1024;

/// The call that every stream makes.
#[derive(Debug)]
pub(super) struct Call {
    /// The method.
    pub(super) path: &'static str,
    /// The message, framed.
    pub(super) framed: Vec<u8>,
}

/// A connection with its streams.
pub(super) struct Session {
    connection: TcpStream,
    board: Arc<Board>,
    streams: Vec<Stream>,
    /// What must be answered.
    replies: Vec<u8>,
}

#[derive(Default)]
struct Stream {
    splitter: Splitter,
    is_open: bool,
    /// The newest change that it was told of.
    change: u32,
}

impl Session {
    /// Connects, and opens so many streams.
    pub(super) async fn open(
        addr: SocketAddr,
        call: &Call,
        streams: usize,
        board: Arc<Board>,
    ) -> anyhow::Result<Self> {
        let mut connection = TcpStream::connect(addr).await?;
        connection.set_nodelay(true)?;
        let head = frames::call_head(&addr.to_string(), call.path);
        let mut opening = Vec::new();
        frames::open(&mut opening);
        // A client's streams have odd numbers.
        for stream in (1..).step_by(2).take(streams) {
            frames::call(&mut opening, stream, &head, &call.framed);
        }
        connection.write_all(&opening).await?;
        Ok(Self {
            connection,
            board,
            streams: (0..streams).map(|_| Stream::default()).collect(),
            replies: Vec::new(),
        })
    }

    /// Reads until something is wrong, and puts that on the board.
    pub(super) async fn run(mut self) {
        let Err(error) = self.read().await;
        self.board.broke(&error);
    }

    async fn read(&mut self) -> Result<std::convert::Infallible, anyhow::Error> {
        let mut inbox = BytesMut::with_capacity(ROOM);
        loop {
            inbox.reserve(ROOM);
            let read = self.connection.read_buf(&mut inbox).await?;
            let now = Instant::now();
            ensure!(read > 0, "the server closed the connection");
            let notes = self.take(&mut inbox)?;
            self.board.note(&notes, now);
            if !self.replies.is_empty() {
                self.connection.write_all(&self.replies).await?;
                self.replies.clear();
            }
        }
    }

    /// Takes all frames that are whole.
    fn take(&mut self, inbox: &mut BytesMut) -> anyhow::Result<Notes> {
        let mut notes = Notes::default();
        while let Some(head) = frames::head(inbox) {
            let whole = frames::HEAD + head.length;
            if inbox.len() < whole {
                break;
            }
            let frame = inbox.split_to(whole);
            self.frame(head, &frame[frames::HEAD..], &mut notes)?;
        }
        Ok(notes)
    }

    fn frame(&mut self, head: Head, payload: &[u8], notes: &mut Notes) -> anyhow::Result<()> {
        let is_ack = head.flags & frames::ACK != 0;
        match head.kind {
            frames::DATA => self.data(head, payload, notes),
            frames::HEADERS if head.flags & frames::END_STREAM != 0 => {
                bail!("the server ended stream {}", head.stream)
            }
            frames::RST_STREAM => bail!("the server refused stream {}: {payload:?}", head.stream),
            frames::GOAWAY => {
                let text = payload.get(8..).unwrap_or_default();
                bail!("the server went away: {}", String::from_utf8_lossy(text))
            }
            frames::SETTINGS if !is_ack => {
                let streams = self.streams.len();
                let allowed = frames::allowed_streams(payload);
                let is_enough = allowed.is_none_or(|allowed| allowed as usize >= streams);
                ensure!(
                    is_enough,
                    "the server allows {allowed:?} streams, not {streams}"
                );
                frames::put(&mut self.replies, frames::SETTINGS, frames::ACK, 0, &[]);
                Ok(())
            }
            frames::PING if !is_ack => {
                frames::put(&mut self.replies, frames::PING, frames::ACK, 0, payload);
                Ok(())
            }
            // Heads, windows, and what we do not know of.
            _ => Ok(()),
        }
    }

    fn data(&mut self, head: Head, payload: &[u8], notes: &mut Notes) -> anyhow::Result<()> {
        let number = head.stream;
        ensure!(
            head.flags & frames::PADDED == 0,
            "stream {number} is padded"
        );
        ensure!(
            head.flags & frames::END_STREAM == 0,
            "stream {number} ended"
        );
        let index = usize::try_from(number / 2)?;
        let stream = self.streams.get_mut(index).context("a stream of nobody")?;
        let Stream {
            splitter,
            is_open,
            change,
        } = stream;
        splitter.feed(payload, |message| {
            if !*is_open {
                *is_open = true;
                notes.opened += 1;
            }
            // A heartbeat shows the same change once more.
            let told = marker::find(message).filter(|told| *told > *change);
            if let Some(told) = told {
                *change = told;
                notes.changes.push(told);
            }
        });
        Ok(())
    }
}
