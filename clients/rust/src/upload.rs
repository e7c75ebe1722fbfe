use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{sleep, sleep_until, timeout};
use tonic::{CancellationHandle, Code, Request};
use uuid::Uuid;

use crate::call::{Caller, unless_cancelled};
use crate::change::number;
use crate::error::{Error, Outcome, ServiceError};
use crate::options::UploadOptions;
use crate::retry::cancelled;
use crate::source::Source;
use crate::transport_error::failed;
use crate::v1::upload_file_request::Part;
use crate::{Result, connection, trace_context, v1};

const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks read from the source and not yet taken by the connection. With the window of HTTP/2 this bounds the memory.
const CHUNKS_IN_FLIGHT_MAX: usize = 4;
/// How often the service may name another offset without holding more than before.
const OFFSETS_WITHOUT_PROGRESS_MAX: u32 = 3;
/// Beyond every content: the service answers with how much it holds.
const OFFSET_UNKNOWN: u64 = (1 << 53) - 1;

/// Sends the source. While the service is UNAVAILABLE, or the connection breaks, it goes on from the bytes that the
/// service holds, if the source can be read again.
pub(crate) async fn upload(
    caller: &Caller,
    mut source: Source,
    options: &UploadOptions,
    mut header: v1::UploadHeader,
) -> Result<v1::MutationResult> {
    let is_replayable = source.is_replayable();
    header.upload_id = match &options.upload_id {
        Some(id) => id.clone(),
        None if is_replayable => Uuid::new_v4().to_string(),
        None => String::new(),
    };
    let size_bytes = header.size_bytes.and_then(|size| u64::try_from(size).ok());
    let whole = size_bytes.unwrap_or(OFFSET_UNKNOWN);
    // Somebody else's beginning can only be asked for: a first chunk beyond it is answered with how much there is.
    let is_asked = options.upload_id.is_some() && is_replayable;
    let mut offset = if is_asked { whole } else { 0 };
    let cancel = options.change.call.cancel.as_ref();
    let request_id = header.options.as_ref().map(|it| it.request_id.clone()).unwrap_or_default();
    let mut upload = Upload {
        caller,
        options,
        request_id: &request_id,
        can_resume: is_replayable && !header.upload_id.is_empty(),
        content: SentContent::new(!header.sha256.is_empty()),
        header,
        whole,
        answer_max: caller.deadline(&options.change.call, options.change.lock_wait),
        is_begun: false,
        is_ended: false,
        sent_bytes: 0,
    };
    let mut retry = caller.retry();
    let mut held = Held::default();
    if cancel.is_some_and(|token| token.is_cancelled()) {
        return Err(cancelled(Some(&request_id), Outcome::NotCommitted));
    }
    loop {
        let failure = match unless_cancelled(cancel, upload.attempt(&mut source, offset)).await {
            Some(Ok(result)) => return Ok(result),
            Some(Err(failure)) => failure,
            None => cancelled(Some(&request_id), upload.unanswered()),
        };
        if !is_replayable && upload.is_begun {
            return Err(failure);
        }
        // The source failed when it was read again: that says nothing of the attempt before.
        if matches!(failure, Error::Source(_))
            && let Some(unsettled) = retry.unsettled()
        {
            return Err(unsettled.clone().because(failure).into());
        }
        if upload.can_resume
            && let Some(named) = offset_in(&failure)
            && let Some(is_more) = held.is_more(named)
        {
            if is_more {
                // The last failure was followed by progress, so the next one is a first one again.
                retry.reset();
            }
            offset = named;
            if named > 0
                && let Some(told) = &options.on_resumed
            {
                told(named);
            }
            continue;
        }
        let resume = retry.next(failure, None)?;
        if unless_cancelled(cancel, sleep_until(resume)).await.is_none() {
            return Err(cancelled(Some(&request_id), retry.outcome_between()));
        }
        // A guess: the service names the offset if it holds less than what was handed to the connection.
        offset = if upload.can_resume { offset.max(upload.sent_bytes) } else { 0 };
    }
}

/// How much the service holds, when that is what it has to say.
fn offset_in(failure: &Error) -> Option<u64> {
    let error = failure.service().filter(|error| error.code == Code::InvalidArgument)?;
    error.metadata.get("upload_offset")?.parse().ok()
}

/// What the service said that it holds.
#[derive(Default)]
struct Held {
    bytes_max: u64,
    fruitless: u32,
}

impl Held {
    /// Whether it is more than ever before. None when it was not for too often: what the service holds of a small content
    /// may go up and down for ever.
    fn is_more(&mut self, bytes: u64) -> Option<bool> {
        if bytes > self.bytes_max {
            (self.bytes_max, self.fruitless) = (bytes, 0);
            return Some(true);
        }
        self.fruitless += 1;
        (self.fruitless <= OFFSETS_WITHOUT_PROGRESS_MAX).then_some(false)
    }
}

/// All attempts of one upload.
struct Upload<'a> {
    caller: &'a Caller,
    options: &'a UploadOptions,
    request_id: &'a str,
    can_resume: bool,
    header: v1::UploadHeader,
    content: SentContent,
    /// Where the first chunk begins that only asks what the service holds.
    whole: u64,
    /// How long the answer may take after the last byte.
    answer_max: Duration,
    /// Of this attempt: the source was touched.
    is_begun: bool,
    /// Of this attempt: the requests were ended, which asks for the commit.
    is_ended: bool,
    /// Of this attempt: up to where the source was handed to the connection.
    sent_bytes: u64,
}

impl Upload<'_> {
    /// Sends the source from `start` on. When it is dropped, or the source fails, the call is reset: ending the requests
    /// would ask for the commit.
    async fn attempt(&mut self, source: &mut Source, start: u64) -> Result<v1::MutationResult> {
        (self.is_begun, self.is_ended, self.sent_bytes) = (false, false, 0);
        let (sender, frames) = mpsc::channel(CHUNKS_IN_FLIGHT_MAX);
        let mut request = Request::new(Frames(frames));
        trace_context::inject(request.metadata_mut());
        let _reset = ResetOnDrop(Some(request.cancellation_handle()));
        let mut stub = connection::files(self.caller.channel.clone());
        let mut answer = pin!(stub.upload_file(request));
        let early = tokio::select! {
            biased;
            answer = &mut answer => Some(answer),
            fed = self.feed(source, start, &sender) => {
                fed?;
                None
            }
        };
        let answer = match early {
            Some(answer) => answer,
            None => timeout(self.answer_max, answer).await.map_err(|_| self.overdue())?,
        };
        let response = answer.map_err(|status| failed(status, Some(self.request_id), self.unanswered()))?;
        let result = crate::change::result(response.into_inner().result, self.request_id)?;
        // An early answer is the answer; nothing asked for a commit.
        if self.is_ended {
            self.compare(&result)?;
        }
        Ok(result)
    }

    async fn feed(&mut self, source: &mut Source, start: u64, frames: &Sender<Frame>) -> Result<()> {
        self.send(frames, Part::Header(self.header.clone())).await?;
        // When the header was taken there is a connection. Until then a source that cannot be read again is not touched.
        drop(self.room(frames.reserve_many(CHUNKS_IN_FLIGHT_MAX)).await?);
        self.is_begun = true;
        let mut end = start;
        if start > 0 && start == self.whole {
            // All of it may be there: then it need not be read.
            self.content.is_unread |= self.content.hashed_bytes < start;
        } else {
            end = self.chunks(source, start, frames).await?;
        }
        // Without any chunk the server could take this for an empty file: so it is told from where we meant to go on.
        if start > 0 && end == start {
            let chunk = v1::ContentChunk { offset: number(start), ..Default::default() };
            self.send(frames, Part::Chunk(chunk)).await?;
        }
        self.is_ended = true;
        self.room(frames.send(None)).await
    }

    /// Gives where the last chunk ended; `start` when none was sent.
    async fn chunks(&mut self, source: &mut Source, start: u64, frames: &Sender<Frame>) -> Result<u64> {
        let mut end = start;
        let (mut offset, mut reader) = source.begin(self.content.needed_from(start)).await.map_err(Error::Source)?;
        loop {
            let data = reader.chunk(CHUNK_BYTES).await.map_err(Error::Source)?;
            if data.is_empty() {
                return Ok(end);
            }
            self.content.add(&data, offset);
            let next = offset + data.len() as u64;
            let rest = data.slice(overlap(&data, offset, start)..);
            if !rest.is_empty() {
                let chunk = v1::ContentChunk {
                    offset: number(next - rest.len() as u64),
                    crc32c: Some(crc32c::crc32c(&rest)),
                    data: rest,
                };
                self.send(frames, Part::Chunk(chunk)).await?;
                end = next;
                self.sent_bytes = next;
                if let Some(told) = &self.options.on_progress {
                    told(next);
                }
            }
            offset = next;
        }
    }

    async fn send(&self, frames: &Sender<Frame>, part: Part) -> Result<()> {
        let message = v1::UploadFileRequest { part: Some(part) };
        self.room(frames.send(Some(message))).await
    }

    /// Returns when the connection has taken enough for this.
    async fn room<T, E>(&self, taken: impl Future<Output = Result<T, E>>) -> Result<T> {
        let idle_max = self.caller.options.idle_max;
        match timeout(idle_max, taken).await {
            Ok(Ok(room)) => return Ok(room),
            // The stream is over: its answer is about to come, and ends this.
            Ok(Err(_)) => sleep(idle_max).await,
            Err(_) => {}
        }
        Err(self.overdue())
    }

    /// Ending the requests asks for the commit; until then a broken or cancelled stream changes nothing.
    fn unanswered(&self) -> Outcome {
        if self.is_ended { Outcome::Unknown } else { Outcome::NotCommitted }
    }

    fn overdue(&self) -> Error {
        let error = ServiceError::new(Code::DeadlineExceeded, "The server took too long for the upload.");
        error.with_outcome(self.unanswered()).with_request_id(self.request_id).into()
    }

    /// After the fact, for a source whose digest was not known before.
    fn compare(&self, result: &v1::MutationResult) -> Result<()> {
        let Some(revision) = &result.revision else { return Ok(()) };
        if revision.sha256.is_empty() || self.content.is(&revision.sha256) {
            return Ok(());
        }
        let message = format!(
            "Revision {} of {} does not hold the bytes that were sent. Upload it again.",
            revision.revision, revision.path
        );
        let error = ServiceError::new(Code::DataLoss, message);
        Err(error.with_outcome(Outcome::Committed).with_request_id(self.request_id).into())
    }
}

/// How many of the bytes of `data`, which begin at `offset`, lie before `start`.
fn overlap(data: &Bytes, offset: u64, start: u64) -> usize {
    usize::try_from(start.saturating_sub(offset)).map_or(data.len(), |before| before.min(data.len()))
}

/// The digest of what is sent, over all attempts: bytes that are read again are not counted again.
struct SentContent {
    /// The server compares the digest itself.
    is_declared: bool,
    /// It may be there without having been read.
    is_unread: bool,
    hashed_bytes: u64,
    hash: Sha256,
}

impl SentContent {
    fn new(is_declared: bool) -> Self {
        SentContent { is_declared, is_unread: false, hashed_bytes: 0, hash: Sha256::new() }
    }

    /// From where the source has to be read when it is sent from `start` on.
    fn needed_from(&self, start: u64) -> u64 {
        if self.is_declared || self.hashed_bytes >= start { start } else { 0 }
    }

    fn add(&mut self, data: &Bytes, offset: u64) {
        self.is_unread = false;
        if self.is_declared {
            return;
        }
        let fresh = &data[overlap(data, offset, self.hashed_bytes)..];
        self.hash.update(fresh);
        self.hashed_bytes += fresh.len() as u64;
    }

    fn is(&self, sha256: &[u8]) -> bool {
        self.is_declared || self.is_unread || self.hash.clone().finalize()[..] == *sha256
    }
}

/// None ends the requests.
type Frame = Option<v1::UploadFileRequest>;

/// The requests of the call. They end only where that was said: a sender that is gone has failed.
struct Frames(Receiver<Frame>);

impl Stream for Frames {
    type Item = v1::UploadFileRequest;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match ready!(self.0.poll_recv(cx)) {
            Some(frame) => Poll::Ready(frame),
            // Until the call is reset.
            None => Poll::Pending,
        }
    }
}

/// Resets the call. Does nothing to one whose requests have ended.
struct ResetOnDrop(Option<CancellationHandle>);

impl Drop for ResetOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ClientOptions;
    use crate::script::Script;
    use futures_util::{FutureExt, StreamExt};

    #[test]
    fn bytes_that_are_read_again_are_hashed_once() {
        let mut content = SentContent::new(false);
        content.add(&Bytes::from_static(b"abc"), 0);
        assert_eq!((content.needed_from(2), content.needed_from(3), content.needed_from(4)), (2, 3, 0));
        content.add(&Bytes::from_static(b"bc"), 1);
        content.add(&Bytes::from_static(b"cdef"), 2);
        assert!(content.is(&crate::digest::sha256(b"abcdef")));
        assert!(!content.is(&crate::digest::sha256(b"abcde")));
        assert_eq!(SentContent::new(true).needed_from(9), 9);
    }

    #[tokio::test]
    async fn requests_end_only_where_that_was_said() {
        let (sender, frames) = mpsc::channel(4);
        let mut frames = Frames(frames);
        sender.send(Some(v1::UploadFileRequest::default())).await.unwrap();
        assert!(frames.next().await.is_some());
        drop(sender);
        assert!(frames.next().now_or_never().is_none());

        let (sender, frames) = mpsc::channel(4);
        sender.send(None).await.unwrap();
        assert!(Frames(frames).next().await.is_none());
    }

    #[tokio::test]
    async fn a_source_that_fails_later_settles_nothing() {
        let script = Script::new(|_| Err(Code::Unavailable)).await;
        let mut opened = 0;
        let source = Source::open(move || {
            opened += 1;
            let is_first = opened == 1;
            async move { if is_first { Ok(&b"abc"[..]) } else { Err(std::io::Error::other("the disk is gone")) } }
        });
        let error = script.client.upload("a", source, UploadOptions::default()).await.unwrap_err();
        let Error::Service(error) = error else { panic!("{error}") };
        assert_eq!((error.code, error.outcome), (Code::Unavailable, Some(Outcome::Unknown)));
        assert!(error.request_id().is_some());
        let cause = std::error::Error::source(&*error).unwrap();
        assert!(cause.to_string().ends_with("the disk is gone"), "{cause}");
    }

    #[tokio::test]
    async fn a_stream_that_is_over_took_no_header() {
        let channel = connection::connect(vec!["127.0.0.1:1".into()]).unwrap();
        let caller = Caller { channel, options: ClientOptions::default().into() };
        let mut upload = Upload {
            caller: &caller,
            options: &UploadOptions::default(),
            request_id: "r-1",
            can_resume: false,
            header: v1::UploadHeader::default(),
            content: SentContent::new(false),
            whole: OFFSET_UNKNOWN,
            answer_max: Duration::from_secs(30),
            is_begun: false,
            is_ended: false,
            sent_bytes: 0,
        };
        let (sender, frames) = mpsc::channel(CHUNKS_IN_FLIGHT_MAX);
        let mut source = Source::reader(&b"abc"[..]);
        let mut fed = Box::pin(upload.feed(&mut source, 0, &sender));
        assert!((&mut fed).now_or_never().is_none());
        drop(frames);
        assert!((&mut fed).now_or_never().is_none());
        drop(fed);
        assert!(!upload.is_begun);
    }

    #[test]
    fn offsets_that_lead_nowhere_come_to_an_end() {
        let mut held = Held::default();
        assert_eq!([0, 3, 0, 3].map(|bytes| held.is_more(bytes)), [false, true, false, false].map(Some));
        assert_eq!(held.is_more(4), Some(true));
        assert_eq!([3, 0, 4, 3].map(|bytes| held.is_more(bytes)), [Some(false), Some(false), Some(false), None]);
    }

    #[test]
    fn the_offset_that_the_service_holds() {
        let mut error = ServiceError::new(Code::InvalidArgument, "beyond");
        assert_eq!(offset_in(&error.clone().into()), None);
        error.metadata.insert("upload_offset".into(), "262144".into());
        assert_eq!(offset_in(&error.clone().into()), Some(262_144));
        error.code = Code::Aborted;
        assert_eq!(offset_in(&error.into()), None);
    }
}
