"""Sends content, and goes on where a broken stream ended."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import grpc

from safefile.cancellation import Cancellation, ending
from safefile.connection import wait
from safefile.content import Chunker, Data
from safefile.errors import SafefileError
from safefile.source import Source
from safefile.trace_context import trace_metadata
from safefile.upload_state import UploadAttempt, UploadState
from safefile.v1.common_pb2 import MutationResult
from safefile.v1.file_ops_service_pb2 import UploadFileRequest, UploadFileResponse

# Chunks handed to the connection and not yet taken by it. With the window of HTTP/2 this bounds the memory.
_IN_FLIGHT_MAX = 4
# When the source fails, what was read before is still handed over, so that it need not be sent again.
_HAND_OVER_SECONDS_MAX = 1.0

Method: TypeAlias = "grpc.StreamUnaryMultiCallable[UploadFileRequest, UploadFileResponse]"


class _Expired(Exception):  # noqa: N818 - it never leaves this module
    """The service took nothing for too long."""


def upload(
    method: Method,
    source: Source,
    state: UploadState,
    *,
    cancel: Cancellation | None,
    idle_timeout: float,
    answer_timeout: float,
) -> MutationResult:
    """Sends the source; while the service is UNAVAILABLE it goes on from what the service holds."""
    while True:
        attempt = state.attempt()
        try:
            return _send(method, source, attempt, cancel, idle_timeout, answer_timeout)
        except SafefileError as failure:
            pause = state.pause_after(failure, attempt)
            if pause > 0 and not wait(pause, cancel):
                raise state.cancelled_after(failure) from failure
        except Exception as error:
            # The source failed when it was read again: that says nothing of the attempt before.
            if state.unsettled is None:
                raise
            raise state.unsettled from error


def _send(
    method: Method,
    source: Source,
    attempt: UploadAttempt,
    cancel: Cancellation | None,
    idle_timeout: float,
    answer_timeout: float,
) -> MutationResult:
    if cancel is not None and cancel.cancelled:
        raise attempt.cancelled()
    outbox = _Outbox(idle_timeout)
    call = method.future(outbox, metadata=trace_metadata())
    call.add_done_callback(lambda _: outbox.close())
    try:
        with ending(cancel, call.cancel):
            _put_all(outbox, source, attempt)
            # An early answer is the answer; nothing asked for a commit.
            attempt.ended = not outbox.is_closed
            outbox.end()
            return attempt.result_of(call.result(timeout=answer_timeout))
    except (_Expired, grpc.FutureTimeoutError) as error:
        raise attempt.expired() from error
    except grpc.FutureCancelledError as error:
        raise attempt.cancelled() from error
    except grpc.RpcError as error:
        raise attempt.failed(SafefileError.from_call(error)) from error
    finally:
        # In this order: an end of the requests without a cancellation would ask for a commit.
        call.cancel()
        outbox.close()


def _put_all(outbox: _Outbox, source: Source, attempt: UploadAttempt) -> None:
    """Reads in the caller's own thread. Returns early when the service has answered."""
    if not outbox.put(attempt.header()):
        return
    if attempt.reads:
        chunks = _chunks(source.pieces(attempt.read_from(source.can_seek)))
        while (chunk := _next_of(chunks, outbox)) is not None:
            message = attempt.chunk(chunk)
            if message is None:
                continue
            if not outbox.put(message):
                return
            attempt.sent()
    last = attempt.last()
    if last is not None:
        outbox.put(last)


def _next_of(chunks: Iterator[bytes], outbox: _Outbox) -> bytes | None:
    try:
        return next(chunks, None)
    except BaseException:
        outbox.hand_over()
        raise


def _chunks(pieces: Iterator[Data]) -> Iterator[bytes]:
    chunker = Chunker()
    for piece in pieces:
        yield from chunker.feed(piece)
    yield from chunker.rest()


class _Outbox(Iterator[UploadFileRequest]):
    """Messages on their way from the caller's thread to that of the gRPC library; a few at most."""

    def __init__(self, idle_timeout: float) -> None:
        self._idle_timeout = idle_timeout
        self._condition = threading.Condition()
        self._messages: collections.deque[UploadFileRequest] = collections.deque()
        self._is_ended = False
        self._is_idle = False
        self.is_closed = False
        """Whether the call has ended."""

    def put(self, message: UploadFileRequest) -> bool:
        """Returns when there is room for the next one. False when the call has ended."""
        with self._condition:
            self._messages.append(message)
            self._is_idle = False
            self._condition.notify_all()
            self._wait(lambda: self.is_closed or len(self._messages) < _IN_FLIGHT_MAX)
            return not self.is_closed

    def hand_over(self) -> None:
        """Waits until the library has taken all messages, for a while."""
        with self._condition:
            self._condition.wait_for(lambda: self.is_closed or self._is_idle, _HAND_OVER_SECONDS_MAX)

    def end(self) -> None:
        """After these messages the requests end."""
        with self._condition:
            self._is_ended = True
            self._condition.notify_all()

    def close(self) -> None:
        with self._condition:
            self.is_closed = True
            self._messages.clear()
            self._condition.notify_all()

    def __next__(self) -> UploadFileRequest:
        with self._condition:
            while not self._messages:
                if self._is_ended or self.is_closed:
                    raise StopIteration
                # The library asks for the next message once the one before is on its way.
                self._is_idle = True
                self._condition.notify_all()
                self._condition.wait()
            message = self._messages.popleft()
            self._condition.notify_all()
            return message

    def _wait(self, done: Callable[[], bool]) -> None:
        """For the other side, which may take so long for each message."""
        held = len(self._messages)
        end = time.monotonic() + self._idle_timeout
        while not done():
            if not self._condition.wait(end - time.monotonic()):
                raise _Expired
            if len(self._messages) < held:
                held = len(self._messages)
                end = time.monotonic() + self._idle_timeout
