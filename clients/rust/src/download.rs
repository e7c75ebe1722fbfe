use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Code, Status};

use crate::call::{far, unless_cancelled};
use crate::error::{Error, Outcome, ServiceError};
use crate::part::{Part, Parts};
use crate::retry::cancelled;
use crate::transport_error::read_failed;
use crate::{Result, v1};

/// Content as it arrives, all of one revision: a `Stream` of pieces, or an `AsyncRead`. It is whole only when it has
/// ended without an error: then every byte came, in order, with its CRC32Cs and, of a whole content, the server's
/// SHA-256. What is read slowly is sent slowly. Dropping it leaves early.
pub struct Download {
    header: v1::ContentHeader,
    parts: Parts,
    path: String,
    /// Where the next chunk begins.
    at: u64,
    hash: Sha256,
    sha256: Option<Bytes>,
    /// The trailer came and was right.
    is_complete: bool,
    end: Option<End>,
    idle_max: Duration,
    /// Runs while the server is waited for.
    idle: Option<Pin<Box<Sleep>>>,
    cancel: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// What a reader has not taken yet.
    rest: Bytes,
}

/// How it ended. Whoever asks once more is told the same: content that failed is never whole.
enum End {
    Whole,
    Failed(Box<ServiceError>),
}

impl Download {
    /// Waits for the header, so that what cannot be read fails here.
    pub(crate) async fn open(
        path: &str,
        idle_max: Duration,
        cancel: Option<&CancellationToken>,
        start: impl Future<Output = Result<Parts, Status>>,
    ) -> Result<Self> {
        let first = timeout(idle_max, async {
            let mut parts = start.await?;
            Ok((parts.next().await.transpose()?, parts))
        });
        let (first, parts) = match unless_cancelled(cancel, first).await {
            Some(Ok(first)) => first.map_err(read_failed)?,
            Some(Err(_)) => return Err(idle_for(path, idle_max)),
            None => return Err(cancelled(None, Outcome::Unknown)),
        };
        let Some(Part::Header(header)) = first else {
            return Err(broken(path, "did not begin with a header"));
        };
        if header.offset < 0 || header.size_bytes < 0 {
            return Err(broken(path, "began with a negative offset or size"));
        }
        Ok(Download {
            parts,
            path: path.into(),
            at: unsigned(header.offset),
            header: *header,
            hash: Sha256::new(),
            sha256: None,
            is_complete: false,
            end: None,
            idle_max,
            idle: None,
            cancel: cancel.map(|token| Box::pin(token.clone().cancelled_owned())),
            rest: Bytes::new(),
        })
    }

    /// The live file as it was when opened. None when a stored revision is read.
    pub fn file(&self) -> Option<&v1::FileInfo> {
        self.header.file.as_ref()
    }

    /// The stored revision. None when the live file is read.
    pub fn revision(&self) -> Option<&v1::Revision> {
        self.header.revision.as_ref()
    }

    /// Where in the content the first byte lies.
    pub fn offset(&self) -> u64 {
        unsigned(self.header.offset)
    }

    /// How many bytes will come.
    pub fn size_bytes(&self) -> u64 {
        unsigned(self.header.size_bytes)
    }

    /// SHA-256 of the whole content, computed here and equal to the server's. None before the end, or of a part.
    pub fn sha256(&self) -> Option<&Bytes> {
        self.sha256.as_ref()
    }

    /// The rest of it in memory. More than `bytes_max` is [`Error::TooLarge`], before any content is taken.
    pub async fn bytes(&mut self, bytes_max: u64) -> Result<Bytes> {
        let size_bytes = self.size_bytes();
        if size_bytes > bytes_max {
            return Err(Error::TooLarge { path: self.path.clone(), size_bytes, bytes_max });
        }
        let mut all = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or_default());
        all.extend_from_slice(&std::mem::take(&mut self.rest));
        while let Some(piece) = self.next().await {
            all.extend_from_slice(&piece?);
        }
        Ok(all.into())
    }

    fn is_whole(&self) -> bool {
        let file = self.header.file.as_ref().map(|it| it.size_bytes);
        let whole = file.or(self.header.revision.as_ref().map(|it| it.size_bytes));
        self.header.offset == 0 && whole == Some(self.header.size_bytes)
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        loop {
            match &self.end {
                Some(End::Whole) => return Poll::Ready(None),
                Some(End::Failed(error)) => return Poll::Ready(Some(Err(Error::Service(error.clone())))),
                None => {}
            }
            self.end = match ready!(self.poll_checked(cx)) {
                Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                Ok(None) => Some(End::Whole),
                Err(Error::Service(error)) => Some(End::Failed(error)),
                // None of a stream is another; if one ever were, it is no end either.
                Err(error) => Some(End::Failed(Box::new(ServiceError::new(Code::Unknown, error.to_string())))),
            };
            // Ends the call when it is not over by itself.
            self.parts = Box::pin(stream::empty());
        }
    }

    fn poll_checked(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>>> {
        loop {
            let part = ready!(self.poll_part(cx))?;
            match part {
                // To the very end, status included: a call that is dropped before resets its stream, and HTTP/2
                // servers end connections that reset more than some thousand (CVE-2023-44487).
                None if self.is_complete => return Poll::Ready(Ok(None)),
                None => return Poll::Ready(Err(self.broken("was cut short"))),
                Some(_) if self.is_complete => {
                    return Poll::Ready(Err(self.broken("went on after its end")));
                }
                Some(Part::Chunk(chunk)) => {
                    self.check_chunk(&chunk)?;
                    // A reader would take an empty piece for the end.
                    if !chunk.data.is_empty() {
                        return Poll::Ready(Ok(Some(chunk.data)));
                    }
                }
                Some(Part::Trailer(trailer)) => self.check_trailer(&trailer)?,
                Some(_) => return Poll::Ready(Err(self.broken("held something unknown"))),
            }
        }
    }

    /// Only the time spent waiting for the server counts.
    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Part>>> {
        if let Some(cancel) = &mut self.cancel
            && cancel.as_mut().poll(cx).is_ready()
        {
            return Poll::Ready(Err(cancelled(None, Outcome::Unknown)));
        }
        if let Poll::Ready(part) = self.parts.poll_next_unpin(cx) {
            self.idle = None;
            return Poll::Ready(part.transpose().map_err(read_failed));
        }
        let idle_max = self.idle_max;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep(far(idle_max) - Instant::now())));
        ready!(idle.as_mut().poll(cx));
        Poll::Ready(Err(idle_for(&self.path, idle_max)))
    }

    fn check_chunk(&mut self, chunk: &v1::ContentChunk) -> Result<()> {
        if chunk.offset != crate::change::number(self.at) {
            return Err(self.broken(&format!("jumped from byte {} to {}", self.at, chunk.offset)));
        }
        self.at += chunk.data.len() as u64;
        if self.at - self.offset() > self.size_bytes() {
            return Err(self.broken("held more bytes than it said"));
        }
        if chunk.crc32c.is_some_and(|sum| sum != crc32c::crc32c(&chunk.data)) {
            return Err(self.broken("was damaged on the way"));
        }
        if self.is_whole() {
            self.hash.update(&chunk.data);
        }
        Ok(())
    }

    fn check_trailer(&mut self, trailer: &v1::ContentTrailer) -> Result<()> {
        let sent_bytes = self.at - self.offset();
        if unsigned(trailer.size_bytes) != sent_bytes || sent_bytes != self.size_bytes() {
            let size_bytes = self.size_bytes();
            return Err(self.broken(&format!("came with {sent_bytes} bytes of {size_bytes}")));
        }
        if self.is_whole() && !trailer.sha256.is_empty() {
            let sha256 = std::mem::take(&mut self.hash).finalize();
            if sha256[..] != trailer.sha256[..] {
                return Err(self.broken("does not have the SHA-256 it came with"));
            }
            self.sha256 = Some(trailer.sha256.clone());
        }
        self.is_complete = true;
        Ok(())
    }

    fn broken(&self, what: &str) -> Error {
        broken(&self.path, what)
    }
}

impl Stream for Download {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.rest))));
        }
        self.poll_piece(cx)
    }
}

impl AsyncRead for Download {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.poll_piece(cx)).transpose()? {
                Some(piece) => self.rest = piece,
                None => return Poll::Ready(Ok(())),
            }
        }
        let taken = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest[..taken]);
        self.rest.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").field("path", &self.path).field("header", &self.header).finish_non_exhaustive()
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or_default()
}

fn broken(path: &str, what: &str) -> Error {
    let message = format!("The content of {path} {what}. Read it again.");
    let mut error = ServiceError::new(Code::DataLoss, message);
    error.metadata.insert("path".into(), path.into());
    error.into()
}

fn idle_for(path: &str, idle_max: Duration) -> Error {
    let message = format!("Nothing of {path} came for {} ms.", idle_max.as_millis());
    ServiceError::new(Code::DeadlineExceeded, message).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt;

    fn header(size_bytes: i64, of_bytes: i64) -> Part {
        let file = v1::FileInfo { size_bytes: of_bytes, ..Default::default() };
        Part::Header(Box::new(v1::ContentHeader { file: Some(file), size_bytes, ..Default::default() }))
    }

    fn chunk(offset: i64, data: &'static [u8]) -> Part {
        Part::Chunk(v1::ContentChunk { data: Bytes::from_static(data), offset, crc32c: Some(crc32c::crc32c(data)) })
    }

    fn trailer(data: &[u8]) -> Part {
        let sha256 = crate::digest::sha256(data);
        Part::Trailer(v1::ContentTrailer { sha256, size_bytes: data.len() as i64 })
    }

    async fn read(parts: Vec<Part>) -> Result<Bytes> {
        let parts: Parts = Box::pin(stream::iter(parts.into_iter().map(Ok)));
        let idle_max = Duration::from_secs(60);
        let mut download = Download::open("a", idle_max, None, async { Ok(parts) }).await?;
        download.bytes(100).await
    }

    async fn refused(parts: Vec<Part>, why: &str) {
        let error = read(parts).await.expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    }

    #[tokio::test]
    async fn what_is_whole_is_given() {
        let parts = vec![header(6, 6), chunk(0, b"hel"), chunk(3, b""), chunk(3, b"lo\n"), trailer(b"hello\n")];
        assert_eq!(read(parts).await.unwrap(), &b"hello\n"[..]);
        assert_eq!(read(vec![header(0, 0), trailer(b"")]).await.unwrap(), &b""[..]);
    }

    #[tokio::test]
    async fn what_is_not_whole_is_an_error() {
        refused(vec![], "did not begin").await;
        refused(vec![header(-1, -1), trailer(b"")], "negative").await;
        refused(vec![header(3, 3)], "cut short").await;
        refused(vec![header(3, 3), chunk(0, b"abc")], "cut short").await;
        refused(vec![header(3, 3), chunk(1, b"abc")], "jumped").await;
        refused(vec![header(2, 3), chunk(0, b"abc")], "more bytes").await;
        refused(vec![header(3, 3), chunk(0, b"ab"), trailer(b"ab")], "2 bytes of 3").await;
        refused(vec![header(3, 3), chunk(0, b"abc"), trailer(b"abd")], "SHA-256").await;
        refused(vec![header(0, 0), trailer(b""), chunk(0, b"")], "after its end").await;
        let damaged = Part::Chunk(v1::ContentChunk {
            data: Bytes::from_static(b"abc"),
            crc32c: Some(crc32c::crc32c(b"abd")),
            ..Default::default()
        });
        refused(vec![header(3, 9), damaged], "damaged").await;
    }

    #[tokio::test]
    async fn what_failed_is_never_whole_later() {
        let parts = vec![header(6, 6), chunk(0, b"abc"), chunk(4, b"ef")];
        let parts: Parts = Box::pin(stream::iter(parts.into_iter().map(Ok)));
        let mut download = Download::open("a", Duration::from_secs(60), None, async { Ok(parts) }).await.unwrap();
        assert_eq!(download.next().await.unwrap().unwrap(), &b"abc"[..]);
        for _ in 0..2 {
            let error = download.next().await.expect("no end").unwrap_err();
            assert_eq!(error.service().unwrap().code, Code::DataLoss);
        }
        assert!(download.read_to_end(&mut Vec::new()).await.is_err());
        let error = download.bytes(100).await.unwrap_err();
        assert!(error.to_string().contains("jumped"), "{error}");
    }

    #[tokio::test]
    async fn a_reader_gets_all_of_it() {
        let parts = vec![header(6, 6), chunk(0, b"hello"), chunk(5, b"\n"), trailer(b"hello\n")];
        let parts: Parts = Box::pin(stream::iter(parts.into_iter().map(Ok)));
        let mut download = Download::open("a", Duration::from_secs(60), None, async { Ok(parts) }).await.unwrap();
        let (mut two, mut text) = ([0; 2], String::new());
        download.read_exact(&mut two).await.unwrap();
        download.read_to_string(&mut text).await.unwrap();
        assert_eq!((&two, text.as_str()), (b"he", "llo\n"));
        assert!(download.sha256().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_stands_still_ends() {
        let parts: Parts = Box::pin(stream::iter([Ok(header(3, 3))]).chain(stream::pending()));
        let mut download = Download::open("a", Duration::from_secs(60), None, async { Ok(parts) }).await.unwrap();
        let error = download.bytes(100).await.unwrap_err();
        assert_eq!(error.service().unwrap().code, Code::DeadlineExceeded);
    }
}
