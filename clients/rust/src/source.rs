use std::fmt;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncSeek, AsyncSeekExt, SeekFrom};

type BoxReader = Box<dyn AsyncRead + Send + Unpin>;
type Opening = Pin<Box<dyn Future<Output = io::Result<BoxReader>> + Send>>;

trait ReadSeek: AsyncRead + AsyncSeek + Send + Unpin {}
impl<T: AsyncRead + AsyncSeek + Send + Unpin> ReadSeek for T {}

/// Where the bytes of an upload come from. All but a [`Source::reader`] can be read again, so that the upload can go on
/// when its stream breaks.
pub struct Source(Kind);

enum Kind {
    Bytes(Bytes),
    Open(Box<dyn FnMut() -> Opening + Send>),
    Seek(Box<dyn ReadSeek>),
    Once(BoxReader),
}

impl Source {
    /// What `open` gives, from its beginning, each time it is called.
    pub fn open<R, F, O>(mut open: O) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        F: Future<Output = io::Result<R>> + Send + 'static,
        O: FnMut() -> F + Send + 'static,
    {
        Source(Kind::Open(Box::new(move || {
            let opening = open();
            Box::pin(async move { Ok(Box::new(opening.await?) as BoxReader) })
        })))
    }

    /// The file of this name.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Source::open(move || File::open(path.clone()))
    }

    /// All of what can seek, from its beginning.
    pub fn seekable(reader: impl AsyncRead + AsyncSeek + Send + Unpin + 'static) -> Self {
        Source(Kind::Seek(Box::new(reader)))
    }

    /// What can be read once only: when the stream breaks, the upload has failed.
    pub fn reader(reader: impl AsyncRead + Send + Unpin + 'static) -> Self {
        Source(Kind::Once(Box::new(reader)))
    }

    pub(crate) fn is_replayable(&self) -> bool {
        !matches!(self.0, Kind::Once(_))
    }

    pub(crate) fn bytes(&self) -> Option<&Bytes> {
        match &self.0 {
            Kind::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Begins at `offset`, or at 0 where it cannot be skipped to. Gives where.
    pub(crate) async fn begin(&mut self, offset: u64) -> io::Result<(u64, Reader<'_>)> {
        match &mut self.0 {
            Kind::Bytes(bytes) => {
                let at = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok((offset, Reader::Bytes(bytes.slice(at..))))
            }
            Kind::Open(open) => Ok((0, Reader::Owned(open().await?))),
            Kind::Seek(reader) => {
                reader.seek(SeekFrom::Start(offset)).await?;
                Ok((offset, Reader::Borrowed(reader)))
            }
            Kind::Once(reader) => Ok((0, Reader::Borrowed(reader))),
        }
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Source(Kind::Bytes(bytes))
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Source(Kind::Bytes(bytes.into()))
    }
}

impl From<File> for Source {
    fn from(file: File) -> Self {
        Source::seekable(file)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Bytes(_) => "Source(bytes)",
            Kind::Open(_) => "Source(open)",
            Kind::Seek(_) => "Source(seekable)",
            Kind::Once(_) => "Source(reader)",
        })
    }
}

pub(crate) enum Reader<'a> {
    Bytes(Bytes),
    Borrowed(&'a mut (dyn AsyncRead + Send + Unpin)),
    Owned(BoxReader),
}

impl Reader<'_> {
    /// The next `chunk_bytes`; less only at the end, none after it.
    pub(crate) async fn chunk(&mut self, chunk_bytes: usize) -> io::Result<Bytes> {
        let reader: &mut (dyn AsyncRead + Send + Unpin) = match self {
            Reader::Bytes(bytes) => return Ok(bytes.split_to(chunk_bytes.min(bytes.len()))),
            Reader::Borrowed(reader) => *reader,
            Reader::Owned(reader) => reader,
        };
        let mut chunk = BytesMut::with_capacity(chunk_bytes);
        let mut reader = reader.take(chunk_bytes as u64);
        while chunk.len() < chunk_bytes && reader.read_buf(&mut chunk).await? > 0 {}
        Ok(chunk.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn chunks(source: &mut Source, offset: u64) -> (u64, Vec<Bytes>) {
        let (at, mut reader) = source.begin(offset).await.unwrap();
        let mut chunks = Vec::new();
        loop {
            let chunk = reader.chunk(4).await.unwrap();
            if chunk.is_empty() {
                return (at, chunks);
            }
            chunks.push(chunk);
        }
    }

    #[tokio::test]
    async fn small_pieces_become_whole_chunks() {
        let (mut sender, pieces) = tokio::io::duplex(64);
        let feed = async {
            for piece in [&b"a"[..], b"bc", b"defgh", b"i"] {
                tokio::io::AsyncWriteExt::write_all(&mut sender, piece).await.unwrap();
                tokio::task::yield_now().await;
            }
            drop(sender);
        };
        let mut source = Source::reader(pieces);
        let ((), (at, chunks)) = tokio::join!(feed, chunks(&mut source, 0));
        assert_eq!((at, chunks), (0, vec!["abcd".into(), "efgh".into(), "i".into()]));
        assert!(!source.is_replayable());
    }

    #[tokio::test]
    async fn what_can_be_read_again_goes_on_where_it_should() {
        let cursor = || io::Cursor::new(b"abcdef".to_vec());
        let mut sources = [
            (Source::from(b"abcdef".to_vec()), 2),
            (Source::seekable(cursor()), 2),
            (Source::open(move || async move { Ok(cursor()) }), 0),
        ];
        for (source, offset) in &mut sources {
            assert!(source.is_replayable());
            for _ in 0..2 {
                let (at, chunks) = chunks(source, 2).await;
                assert_eq!(at, *offset, "{source:?}");
                assert_eq!(chunks.concat(), b"abcdef"[*offset as usize..]);
            }
        }
    }
}
