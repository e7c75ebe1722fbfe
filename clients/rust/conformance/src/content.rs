use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use crate::args::Args;
use crate::failure::Failure;

/// A content in arguments.
#[derive(Clone)]
pub enum Content {
    Bytes(Bytes),
    Fill { size: u64, seed: u64 },
}

impl Content {
    pub fn take(args: &mut Args, name: &str) -> Result<Option<Self>, Failure> {
        let Some(value) = args.any(name) else { return Ok(None) };
        let mut args = Args::new(value)?;
        let content = if let Some(text) = args.text("text")? {
            Content::Bytes(text.into())
        } else if let Some(base64) = args.text("base64")? {
            Content::Bytes(STANDARD.decode(base64).map_err(Failure::other)?.into())
        } else {
            let mut fill = Args::new(args.any("fill").unwrap_or_default())?;
            let size = fill.number("size")?.unwrap_or_default();
            let seed = fill.int("seed")?.unwrap_or_default() as u64;
            fill.end()?;
            Content::Fill { size, seed }
        };
        args.end()?;
        Ok(Some(content))
    }

    /// Empty when it is not given.
    pub fn take_or_empty(args: &mut Args, name: &str) -> Result<Self, Failure> {
        Ok(Content::take(args, name)?.unwrap_or(Content::Bytes(Bytes::new())))
    }

    pub fn size_bytes(&self) -> u64 {
        match self {
            Content::Bytes(bytes) => bytes.len() as u64,
            Content::Fill { size, .. } => *size,
        }
    }

    pub fn reader(&self) -> ContentReader {
        ContentReader { content: self.clone(), at: 0, fails_at: None }
    }

    pub async fn bytes(&self) -> io::Result<Bytes> {
        let mut all = Vec::with_capacity(self.size_bytes() as usize);
        self.reader().read_to_end(&mut all).await?;
        Ok(all.into())
    }

    pub async fn sha256(&self) -> io::Result<Bytes> {
        let (mut hash, mut reader, mut piece) = (Sha256::new(), self.reader(), vec![0; 1 << 16]);
        loop {
            let length = reader.read(&mut piece).await?;
            if length == 0 {
                return Ok(Bytes::copy_from_slice(&hash.finalize()));
            }
            hash.update(&piece[..length]);
        }
    }
}

/// Makes fills as they are read.
pub struct ContentReader {
    content: Content,
    at: u64,
    pub fails_at: Option<u64>,
}

impl AsyncRead for ContentReader {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let end = self.fails_at.unwrap_or(u64::MAX).min(self.content.size_bytes());
        if self.fails_at.is_some_and(|fails_at| self.at >= fails_at) {
            return Poll::Ready(Err(io::Error::other("the source fails, as it was told to")));
        }
        let length = (buffer.remaining() as u64).min(end - self.at) as usize;
        match &self.content {
            Content::Bytes(bytes) => buffer.put_slice(&bytes[self.at as usize..][..length]),
            Content::Fill { seed, .. } => {
                let (at, seed) = (self.at, *seed);
                for (i, byte) in (at..).zip(&mut buffer.initialize_unfilled()[..length]) {
                    *byte = ((i >> 8) ^ i.wrapping_mul(31) ^ seed) as u8;
                }
                buffer.advance(length);
            }
        }
        self.at += length as u64;
        Poll::Ready(Ok(()))
    }
}

/// A content in values, seen piece by piece.
#[derive(Default)]
pub struct Seen {
    hash: Sha256,
    pub size_bytes: u64,
    beginning: Vec<u8>,
}

const TEXT_BYTES_MAX: usize = 1024;

impl Seen {
    pub fn add(&mut self, piece: &[u8]) {
        self.hash.update(piece);
        self.size_bytes += piece.len() as u64;
        let room = TEXT_BYTES_MAX - self.beginning.len();
        self.beginning.extend_from_slice(&piece[..piece.len().min(room)]);
    }

    pub fn json(self) -> Value {
        let mut value = json!({"sizeBytes": self.size_bytes, "sha256": hex(&self.hash.finalize())});
        if self.size_bytes == self.beginning.len() as u64
            && let Ok(text) = String::from_utf8(self.beginning)
        {
            value["text"] = text.into();
        }
        value
    }
}

pub fn seen(bytes: &[u8]) -> Value {
    let mut seen = Seen::default();
    seen.add(bytes);
    seen.json()
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn from_hex(text: &str) -> Result<Bytes, Failure> {
    let invalid = || Failure::other(format!("{text:?} is not hex"));
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err(invalid());
    }
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or_default());
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|_| invalid())).collect()
}
