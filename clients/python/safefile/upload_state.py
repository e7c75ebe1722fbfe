"""An upload over all its attempts: what to send, and where to go on. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable

import grpc

from safefile.content import SentContent, crc32c
from safefile.errors import Details, Outcome, SafefileError, cancelled, failed_change
from safefile.options import new_id
from safefile.retry import Retry
from safefile.v1.common_pb2 import ContentChunk, MutationResult
from safefile.v1.file_ops_service_pb2 import UploadFileRequest, UploadFileResponse, UploadHeader

# Where an upload of unknown size asks how much of it is there: numbers beyond are not exact everywhere.
_OFFSET_MAX = 2**53 - 1
# How often the service may name another offset without holding more than before.
_OFFSETS_WITHOUT_PROGRESS_MAX = 3


class UploadState:
    """Where an upload stands between its attempts."""

    def __init__(
        self,
        header: UploadHeader,
        *,
        can_repeat: bool,
        upload_id: str | None,
        retry: Retry,
        on_progress: Callable[[int], object] | None,
        on_resumed: Callable[[int], object] | None,
    ) -> None:
        """`can_repeat`: the source can be read again."""
        self._can_repeat = can_repeat
        self._header = UploadHeader()
        self._header.CopyFrom(header)
        self._header.upload_id = upload_id or (new_id() if can_repeat else "")
        self._retry = retry
        self._on_progress = on_progress
        self._on_resumed = on_resumed
        self._content = SentContent(is_declared=len(header.sha256) > 0)
        self._held_bytes = 0
        self._fruitless = 0
        # Somebody else's beginning can only be asked for: a first chunk beyond it is answered with how much there is.
        self._offset = self._end if upload_id and can_repeat else 0

    @property
    def request_id(self) -> str:
        return self._header.options.request_id

    @property
    def unsettled(self) -> SafefileError | None:
        """The last failure of an attempt that may have committed."""
        return self._retry.unsettled

    @property
    def _end(self) -> int:
        return self._header.size_bytes if self._header.HasField("size_bytes") else _OFFSET_MAX

    def attempt(self) -> UploadAttempt:
        return UploadAttempt(self._header, self._offset, self._end, self._content, self._on_progress)

    def pause_after(self, failure: SafefileError, attempt: UploadAttempt) -> float:
        """How many seconds to wait before the next attempt; raises the error to report when there is none."""
        if not self._can_repeat and attempt.began:
            raise failure
        named = _offset_in(failure)
        resumable = self._can_repeat and self._header.upload_id != ""
        if resumable and named is not None and self._fruitless < _OFFSETS_WITHOUT_PROGRESS_MAX:
            progressed = named > self._held_bytes
            self._fruitless = 0 if progressed else self._fruitless + 1
            # The last failure was followed by progress, so the next one is a first one again.
            if progressed:
                self._retry.reset()
            # The most it ever held: one that forgets and learns the same bytes again makes no progress.
            self._held_bytes = max(self._held_bytes, named)
            self._offset = named
            if named > 0 and self._on_resumed is not None:
                self._on_resumed(named)
            return 0.0
        pause = self._retry.pause_after(failure)
        # A guess: the service names the offset if it holds less than what was handed to the connection.
        self._offset = attempt.sent_bytes if self._header.upload_id else 0
        return pause

    def cancelled_after(self, failure: SafefileError) -> BaseException:
        """It was cancelled while it waited for the next attempt."""
        return self._retry.settle(cancelled(self.request_id, failure.outcome))


class UploadAttempt:
    """The messages of one stream."""

    def __init__(
        self,
        header: UploadHeader,
        start: int,
        end: int,
        content: SentContent,
        on_progress: Callable[[int], object] | None,
    ) -> None:
        self._header = header
        self._start = start
        self._content = content
        self._on_progress = on_progress
        self._request_id = header.options.request_id
        self._sent_chunk = False
        self._read_bytes = 0
        # All of it may be there: then it need not be read.
        self.reads = not (start > 0 and start == end)
        self.began = False
        """Whether the source was touched."""
        self.sent_bytes = start
        """Up to where the source was handed to the connection, or was held by the service."""
        self.ended = False
        """Whether the requests were ended, which asks for the commit."""

    def header(self) -> UploadFileRequest:
        if not self.reads and self._content.hashed_bytes < self._start:
            self._content.unread = True
        return UploadFileRequest(header=self._header)

    def read_from(self, can_seek: bool) -> int:
        """Where the source is to be read from."""
        self.began = True
        # Also when it turns out to be empty.
        self._content.unread = False
        self._read_bytes = self._start if can_seek and self._content.may_skip(self._start) else 0
        return self._read_bytes

    def chunk(self, data: bytes) -> UploadFileRequest | None:
        """The next bytes of the source as a message. None when the service holds them all."""
        offset = self._read_bytes
        self._content.add(data, offset)
        self._read_bytes += len(data)
        rest = data[max(0, min(len(data), self._start - offset)) :]
        if not rest:
            self.sent_bytes = max(self.sent_bytes, self._read_bytes)
            return None
        self._sent_chunk = True
        at = offset + len(data) - len(rest)
        return UploadFileRequest(chunk=ContentChunk(data=rest, offset=at, crc32c=crc32c(rest)))

    def sent(self) -> None:
        """The last message was taken by the connection."""
        self.sent_bytes = max(self.sent_bytes, self._read_bytes)
        if self._on_progress is not None:
            self._on_progress(self._read_bytes)

    def last(self) -> UploadFileRequest | None:
        """Without any chunk the server could take this for an empty file: it is told from where we meant to go on."""
        if self._start == 0 or self._sent_chunk:
            return None
        return UploadFileRequest(chunk=ContentChunk(offset=self._start))

    def result_of(self, response: UploadFileResponse) -> MutationResult:
        if not response.HasField("result"):
            raise self.error(grpc.StatusCode.INTERNAL, "The server's answer holds no result.", "UNKNOWN")
        revision = response.result.revision
        # An answer before the end of the requests is that of an earlier attempt: not all was read.
        if self.ended and revision.sha256 and not self._content.equals(revision.sha256):
            message = (
                f"Revision {revision.revision} of {revision.path} does not hold the bytes that were sent. "
                "Upload it again."
            )
            raise self.error(grpc.StatusCode.DATA_LOSS, message, "COMMITTED")
        return response.result

    def failed(self, error: SafefileError) -> SafefileError:
        return failed_change(error, self._request_id, self._unanswered)

    def cancelled(self) -> SafefileError:
        return cancelled(self._request_id, self._unanswered)

    def expired(self) -> SafefileError:
        message = "The server took too long for the upload."
        return self.error(grpc.StatusCode.DEADLINE_EXCEEDED, message, self._unanswered)

    def error(self, code: grpc.StatusCode, message: str, outcome: Outcome) -> SafefileError:
        return SafefileError(code, message, Details(outcome=outcome, metadata={"request_id": self._request_id}))

    @property
    def _unanswered(self) -> Outcome:
        # Ending the requests asks for the commit; until then a broken stream changes nothing.
        return "UNKNOWN" if self.ended else "NOT_COMMITTED"


def _offset_in(failure: SafefileError) -> int | None:
    """How much the service holds, when that is what it has to say."""
    text = failure.metadata.get("upload_offset", "")
    named = failure.code is grpc.StatusCode.INVALID_ARGUMENT and text.isascii() and text.isdigit() and len(text) <= 16
    return int(text) if named else None
